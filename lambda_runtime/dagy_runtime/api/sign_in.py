"""Signing in to the command line through the browser: two pages under `app_url`, until there is a web app to have them.

    <app_url>/sign-in?cli_callback=http://127.0.0.1:PORT/…&state=…[&code_challenge=…&code_challenge_method=S256]
    <app_url>/sign-in/callback      where the user pool's own pages come back to

The first says which program asks and leads to the pool; the second leads back to that program, with the pool's code
when the program has a code challenge of its own, so that no token is in any address; else with the token.

Nothing is stored here. What has to be known at the return travels in a cookie, and the `state` that the pool echoes
is that cookie's hash: one without the other is refused, and neither can be changed on the way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import asdict

from dagy.core.errors import DagyError
from dagy.core.timestamps import to_iso
from dagy_runtime.api.callers import Entrance
from dagy_runtime.api.pages_html import Page, failed, leave, shown
from dagy_runtime.engine.tokens import Claims, FindKey, verified
from dagy_runtime.ports import Ports

GOOD_FOR_S: Final = 600
SCOPES: Final = "openid email"
_CALLBACK: Final = re.compile(
    r"http://(?:127\.0\.0\.1|localhost|\[::1\]):(?P<port>[0-9]{1,5})(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII
)
_STATE: Final = re.compile(r"[A-Za-z0-9._~-]{16,200}", re.ASCII)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_CODE: Final = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)

Query = Sequence[tuple[str, str]]


class Trip(Struct, frozen=True):
    """What has to be known when the browser comes back. `verifier` empty: the program has its own."""

    callback: str
    state: str
    verifier: str
    chance: str
    ends_at: float


class Pages:
    """Thread-safe."""

    def __init__(self, ports: Ports, entrance: Entrance, find_key: FindKey, *, stage: str) -> None:
        self._ports, self._entrance, self._find_key, self._stage = ports, entrance, find_key, stage

    def begin(self, query: Query) -> Page:
        """The page that asks whether to go on. It changes nothing."""
        given = _single(query)
        if given is None:
            return failed("Something in this address is there twice. Run dagy login again.")
        callback, state = given.get("cli_callback", ""), given.get("state", "")
        if not is_loopback_callback(callback):
            return failed(
                "The program that asks is not on this computer. If you have not just run dagy login, close this page."
            )
        if not _STATE.fullmatch(state):
            return failed("The state is missing, or not of the form that programs send. Run dagy login again.")
        challenge = given.get("code_challenge")
        has_method = given.get("code_challenge_method") == "S256"
        if (challenge is not None or "code_challenge_method" in given) and not (
            has_method and _CHALLENGE.fullmatch(challenge or "")
        ):
            return failed("The code challenge is not one of method S256. Run dagy login again.")
        verifier = "" if challenge else self._ports.ids.secret()
        trip = Trip(callback, state, verifier, self._ports.ids.secret(), self._ports.clock.now() + GOOD_FOR_S)
        cookie = _packed(trip)
        to_pool = {
            "response_type": "code",
            "client_id": self._entrance.issuer.client_id,
            "redirect_uri": self._return_url,
            "scope": SCOPES,
            "state": _hash(cookie),
            "code_challenge": challenge or _hash(verifier),
            "code_challenge_method": "S256",
        }
        return shown(
            f"Sign in to stage {self._stage}",
            f"A program on this computer, {callback.split('/')[2]}, asks to act for you. Go on only if you have just "
            "run dagy login.",
            link=("Continue", f"{self._entrance.sign_in_url}/oauth2/authorize?{urlencode(to_pool)}"),
            cookie=self._cookie(_hash(cookie), cookie, max_age_s=GOOD_FOR_S),
        )

    def finish(self, query: Query, cookies: Mapping[str, str]) -> Page:
        """Lead the browser back to the program it came from. A repeat fails at the pool, whose codes are good once."""
        given = _single(query) or {}
        state = given.get("state", "")
        cookie = cookies.get(self._cookie_name(state), "")
        trip = _unpacked(cookie)
        is_ours = hmac.compare_digest(_hash(cookie).encode(), state.encode("utf-8", "replace"))
        if trip is None or not is_ours or not is_loopback_callback(trip.callback):
            return failed("This sign-in did not begin in this browser, or a while ago. Run dagy login again.")
        if trip.ends_at <= self._ports.clock.now():
            return failed("This sign-in took too long. Run dagy login again.")
        try:
            told = self._told(trip, given)
        except DagyError as error:
            told = {"error": "server_error", "error_description": str(error)}
        return leave(
            f"{trip.callback}?{urlencode({**told, 'state': trip.state})}",
            cookie=self._cookie(state, "", max_age_s=0),
        )

    def _told(self, trip: Trip, given: Mapping[str, str]) -> dict[str, str]:
        code = given.get("code", "")
        if "error" in given or not _CODE.fullmatch(code):
            reason = given.get("error_description") or given.get("error") or "The user pool sent no code"
            return {"error": given.get("error", "invalid_request")[:100], "error_description": reason[:300]}
        if not trip.verifier:
            return {"code": code, "iss": self._entrance.issuer.url, "redirect_uri": self._return_url}
        tokens = self._ports.exchange.exchange(code, verifier=trip.verifier, redirect_uri=self._return_url)
        if tokens is None:
            return {"error": "invalid_grant", "error_description": "The user pool did not take the code back"}
        access, identity = tokens
        claims, who = self._claims(access, "access"), self._claims(identity, "id")
        if who.email:
            self._ports.sessions.remember(claims.user_id, who.email)
        return {"token": access, "expires_at": to_iso(claims.expires_at), "email": who.email or ""}

    def _claims(self, token: str, use: Any) -> Claims:
        return verified(
            token, issuer=self._entrance.issuer, find_key=self._find_key, now=self._ports.clock.now(), use=use
        )

    @property
    def _return_url(self) -> str:
        return f"{self._entrance.app_url}/sign-in/callback"

    def _cookie_name(self, state: str) -> str:
        """One for each sign-in, so that several may be under way. Over plain http, which only the local cloud has,
        no cookie can be tied to its host.
        """
        prefix = "__Host-" if self._is_secure else ""
        return f"{prefix}dagy-sign-in-{state[:8]}"

    def _cookie(self, state: str, value: str, *, max_age_s: int) -> str:
        secure = "; Secure" if self._is_secure else ""
        return f"{self._cookie_name(state)}={value}; Path=/; Max-Age={max_age_s}; HttpOnly{secure}; SameSite=Lax"

    @property
    def _is_secure(self) -> bool:
        return self._entrance.app_url.startswith("https://")


def is_loopback_callback(text: str) -> bool:
    """Whether it leads to this computer whatever a browser makes of it: plain http, a loopback host, a port, a path of
    plain words, and nothing else.
    """
    found = _CALLBACK.fullmatch(text) if len(text) <= 200 else None
    is_climbing = any(word in (".", "..") for word in text.split("/"))
    return found is not None and 0 < int(found["port"]) < 65_536 and not is_climbing


def _single(query: Query) -> dict[str, str] | None:
    """None when a parameter is there twice: which of them counts, programs disagree about."""
    given = dict(query)
    return given if len(given) == len(query) else None


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _packed(trip: Trip) -> str:
    return base64.urlsafe_b64encode(json.dumps(asdict(trip), separators=(",", ":")).encode()).rstrip(b"=").decode()


def _unpacked(cookie: str) -> Trip | None:
    try:
        data = json.loads(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
        trip = Trip(**data)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    is_text = all(isinstance(text, str) for text in (trip.callback, trip.state, trip.verifier))
    return trip if is_text and isinstance(trip.ends_at, (int, float)) else None
