"""Tokens of the stage's user pool: told apart from everything that only looks like one.

A token is taken for what it says only after its signature, and everything about it is exactly what Cognito makes: two
header fields, RS256, our pool, our client, the kind asked for. Whatever else it holds, such as a key of its own or the
address of one, makes it nothing (RFC 8725).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

from dagy.core.errors import TokenExpiredError, Unauthenticated
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.rs256 import is_signed
from dagy_runtime.ports.people import RsaKey, highest_role
from dagy_runtime.values import Role

MAX_TOKEN: Final = 8192
LEEWAY_S: Final = 30.0
"""By how much the pool's clock and ours may differ."""
MAX_LIFE_S: Final = 86_400.0  # the longest that Cognito makes

_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9:_.-]{1,128}", re.ASCII)
_LATEST: Final = 1e11  # a time in milliseconds is none

FindKey = Callable[[str], "RsaKey | None"]


class Issuer(Struct, frozen=True):
    """Whose tokens are taken, and which client's."""

    url: str
    client_id: str


class Claims(Struct, frozen=True):
    """What a good token says. Times are in seconds since the epoch. `email` is in id tokens only."""

    user_id: str
    session_id: str
    groups: tuple[str, ...]
    issued_at: float
    expires_at: float
    email: str | None = None

    @property
    def role(self) -> Role | None:
        return highest_role(self.groups)


def verified(
    text: str, *, issuer: Issuer, find_key: FindKey, now: float, use: Literal["access", "id"] = "access"
) -> Claims:
    """Raises: TokenExpiredError for a good one that was; Unauthenticated for everything else, without saying why: who
    forges tokens is not helped. What `find_key` raises.
    """
    head, payload, signature = _parts(text)
    header = _object(head)
    if header.keys() != {"alg", "kid"} or header["alg"] != "RS256" or not isinstance(header["kid"], str):
        raise _not_valid()
    key = find_key(header["kid"][:200])
    signed = text.rpartition(".")[0].encode("ascii")
    if key is None or not is_signed(signed, signature, key):
        raise _not_valid()
    return _checked(_object(payload), issuer, use, now)


def _parts(text: str) -> list[bytes]:
    parts = text.split(".", 3) if len(text) <= MAX_TOKEN else []
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise _not_valid()
    return [_decoded(part) for part in parts]


def _decoded(part: str) -> bytes:
    """One text per content: the bits that base64 leaves over must be 0."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise _not_valid() from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise _not_valid()
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _not_valid() from None
    if not isinstance(value, dict):
        raise _not_valid()
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _not_valid()
    return found


def _no_constant(name: str) -> Any:
    raise _not_valid()


def _checked(claims: dict[str, Any], issuer: Issuer, use: str, now: float) -> Claims:
    for_whom = claims.get("client_id") if use == "access" else claims.get("aud")
    if claims.get("iss") != issuer.url or for_whom != issuer.client_id or claims.get("token_use") != use:
        raise _not_valid()
    issued_at, expires_at = _time(claims.get("iat")), _time(claims.get("exp"))
    not_before = _time(claims.get("nbf", issued_at))
    is_early = max(issued_at, not_before) > now + LEEWAY_S
    if is_early or not 0 < expires_at - issued_at <= MAX_LIFE_S:
        raise _not_valid()
    user_id, session_id = claims.get("sub"), claims.get("origin_jti", claims.get("jti"))
    groups, email = claims.get("cognito:groups", []), claims.get("email")
    if not _is_id(user_id) or not _is_id(session_id) or not isinstance(email, (str, type(None))):
        raise _not_valid()
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise _not_valid()
    if expires_at + LEEWAY_S <= now:
        raise TokenExpiredError(to_iso(expires_at))
    return Claims(str(user_id), str(session_id), tuple(groups), issued_at, expires_at, email)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _LATEST:
        raise _not_valid()
    return float(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _not_valid() -> Unauthenticated:
    return Unauthenticated("The token is not valid", "Sign in again: dagy login")
