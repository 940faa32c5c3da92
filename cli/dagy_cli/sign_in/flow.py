"""A sign-in from the opening of the browser to the token."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from dagy.config import checked_url
from dagy.core.errors import InvalidInput, LoginFailed
from dagy.loopback import is_loopback
from dagy.origin import origin_of
from dagy_cli.sign_in.answers import Answer, Code, Refused, Token
from dagy_cli.sign_in.callback import CallbackServer
from dagy_cli.sign_in.claims import email_of, read_claims, time_of
from dagy_cli.sign_in.exchange import Issuer, Proof, exchange

TIMEOUT_S: Final = 120.0
REMINDER_S: Final = 5.0
OpenBrowser = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`expires_at` is in seconds since the epoch, 0 when nobody said; so is `email` empty."""

    token: str = field(repr=False)
    expires_at: float = 0
    email: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is said on the way, with the address of the sign-in page."""

    no_browser: Callable[[str], None]
    still_waiting: Callable[[str], None]


def sign_in(
    app_url: str,
    issuer: Issuer | None,
    keep: Callable[[SignedIn], None],
    *,
    open_browser: OpenBrowser,
    telling: Telling,
    timeout_s: float = TIMEOUT_S,
    reminder_s: float = REMINDER_S,
) -> SignedIn:
    """Let the user sign in at `app_url`, and hand the token to `keep` before the browser is told that all went well.
    With an issuer the app may answer with a code. Thread-safe: nothing is shared between two sign-ins.

    Raises: LoginFailed, InvalidInput for an `app_url` over an open line, and what `keep` raises.
    """
    page_url = checked_app_url(app_url)
    state, proof = secrets.token_urlsafe(32), Proof.make() if issuer else None
    with CallbackServer(state) as server:
        url = _sign_in_url(page_url, server.url, state, proof)
        failure: str | None = "The token could not be kept."
        try:
            open_browser(url, lambda: telling.no_browser(url) if server.is_waiting else None)
            answer = server.wait(min(reminder_s, timeout_s))
            if answer is None and timeout_s > reminder_s:
                telling.still_waiting(url)
                answer = server.wait(timeout_s - reminder_s)
            signed_in = _token_of(answer, issuer, proof, app_url=page_url, callback_url=server.url)
            keep(signed_in)
            failure = None
        except LoginFailed as error:
            failure = error.reason
            raise
        except KeyboardInterrupt:
            cancelled = LoginFailed("Login cancelled by user.")
            failure = cancelled.reason
            raise cancelled from None
        finally:
            server.conclude(failure)
    return signed_in


def checked_app_url(url: str) -> str:
    """Raises: InvalidInput for what is no address, or one whose answers could be read on their way."""
    parts = urlsplit(checked_url(url))
    if parts.query or parts.fragment:
        raise InvalidInput(f"Invalid app URL {url!r}", "It is what stands before /sign-in.")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise InvalidInput(
            f"Refusing to sign in at {url} over plain http", "Use an https:// URL. Plain http is for this machine only."
        )
    return url.rstrip("/")


def _sign_in_url(app_url: str, callback_url: str, state: str, proof: Proof | None) -> str:
    parameters = {"cli_callback": callback_url, "state": state, **(proof.parameters if proof else {})}
    return f"{app_url}/sign-in?{urlencode(parameters)}"


def _token_of(
    answer: Answer | None, issuer: Issuer | None, proof: Proof | None, *, app_url: str, callback_url: str
) -> SignedIn:
    """Raises: LoginFailed."""
    match answer:
        case None:
            raise LoginFailed("Login timed out – no callback received.")
        case Refused(reason):
            raise LoginFailed(reason)
        case Token():
            signed_in = _handed_over(answer)
        case Code() if issuer is None or proof is None:
            raise LoginFailed("The sign-in page sent a code, and the profile names no issuer and client id for it.")
        case Code():
            signed_in = _exchanged(answer, issuer, proof, app_url=app_url, callback_url=callback_url)
    if signed_in.expires_at and signed_in.expires_at <= time.time():
        raise LoginFailed("The token had expired when it came. Is this machine's clock right?")
    return signed_in


def _handed_over(token: Token) -> SignedIn:
    claims = read_claims(token.text)
    return SignedIn(token.text, claims.expires_at or time_of(token.expires_at), claims.email or email_of(token.email))


def _exchanged(code: Code, issuer: Issuer, proof: Proof, *, app_url: str, callback_url: str) -> SignedIn:
    if code.issuer is not None and code.issuer.rstrip("/") != issuer.url.rstrip("/"):
        raise LoginFailed("The code was made by another issuer than the profile's.")
    redirect_uri = code.redirect_uri or callback_url
    if code.redirect_uri is not None and origin_of(code.redirect_uri) != origin_of(app_url):
        raise LoginFailed("The code was sent to another place than the sign-in page's.")
    issued = exchange(issuer, code.text, proof, redirect_uri=redirect_uri)
    claims, of_identity = read_claims(issued.access_token), read_claims(issued.id_token)
    told = time.time() + issued.expires_in_s if issued.expires_in_s else 0
    return SignedIn(issued.access_token, claims.expires_at or told, claims.email or of_identity.email)
