"""A code for a token, at the issuer's token endpoint, with the proof that whoever asks is who began (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from dagy.client.transport import USER_AGENT, connection_pool
from dagy.core.errors import LoginFailed
from dagy.loopback import is_loopback
from dagy_cli.sign_in.answers import cleaned

TIMEOUT_S: Final = 10.0
_METHOD: Final = "S256"  # `plain` proves nothing to who has seen the address of the sign-in page


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs users in, and what this command line is called there."""

    url: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`challenge` goes with the start of a sign-in, `verifier` only with its end."""

    verifier: str = field(repr=False)

    @classmethod
    def make(cls) -> Proof:
        return cls(secrets.token_urlsafe(64))

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    @property
    def parameters(self) -> dict[str, str]:
        return {"code_challenge": self.challenge, "code_challenge_method": _METHOD}


@dataclass(frozen=True, slots=True)
class Issued:
    """What the issuer gave. `expires_in_s` 0: it did not say."""

    access_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)
    expires_in_s: float = 0


def exchange(issuer: Issuer, code: str, proof: Proof, *, redirect_uri: str) -> Issued:
    """Ask the issuer for the token behind `code`. A repeat fails: a code is good once.

    Raises: LoginFailed.
    """
    endpoint = _token_endpoint(issuer)
    answer = _ask(
        "POST",
        endpoint,
        {
            "grant_type": "authorization_code",
            "client_id": issuer.client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": proof.verifier,
        },
    )
    token, id_token = answer.get("access_token"), answer.get("id_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise LoginFailed(f"{_host(endpoint)} answered without a token.")
    return Issued(token, id_token if isinstance(id_token, str) else "", _seconds(answer.get("expires_in")))


def _seconds(value: Any) -> float:
    is_time = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if is_time else 0


def _token_endpoint(issuer: Issuer) -> str:
    """From the issuer's own description of itself (OpenID Connect Discovery 1.0, 4)."""
    facts = _ask("GET", f"{issuer.url.rstrip('/')}/.well-known/openid-configuration")
    if str(facts.get("issuer", "")).rstrip("/") != issuer.url.rstrip("/"):
        raise LoginFailed(f"{_host(issuer.url)} describes itself as another issuer.")
    methods = facts.get("code_challenge_methods_supported", [_METHOD])  # Cognito knows S256 and does not say so
    if not isinstance(methods, list) or _METHOD not in methods:
        raise LoginFailed(f"{_host(issuer.url)} does not support PKCE with {_METHOD}, so its codes are not used.")
    endpoint = facts.get("token_endpoint")
    if not isinstance(endpoint, str):
        raise LoginFailed(f"{_host(issuer.url)} names no token endpoint.")
    return endpoint


def _ask(method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    import urllib3  # a lazy door: only codes need it

    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    except ValueError:
        is_safe = False
    if not is_safe:
        raise LoginFailed(f"The issuer's address {url[:200]!r} is not https.")
    body = urlencode(form).encode() if form else None
    headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    pool = connection_pool(url, TIMEOUT_S)
    try:
        response = pool.request(method, url, body=body, headers=headers, redirect=False)
        answer = json.loads(response.data)
    except urllib3.exceptions.HTTPError as error:
        raise LoginFailed(f"Unable to reach {_host(url)}.") from error
    except (ValueError, RecursionError):
        answer = None
    finally:
        pool.clear()
    if response.status != 200 or not isinstance(answer, dict):
        said = answer.get("error_description") or answer.get("error") if isinstance(answer, dict) else None
        raise LoginFailed(cleaned(said) if isinstance(said, str) else f"{_host(url)} answered {response.status}.")
    return answer


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
