"""From a request's headers to who is asking: the holder of an API key, or somebody who signed in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dagy.core.errors import DagyError, Unauthenticated
from dagy.core.timestamps import to_iso
from dagy_runtime.api.context import Caller, Session
from dagy_runtime.api.errors import TooManyRequests
from dagy_runtime.engine.buckets import Buckets, Rate
from dagy_runtime.engine.key_ring import KeyRing
from dagy_runtime.engine.keys import PREFIX, authenticate
from dagy_runtime.engine.sessions import SessionBook, is_void, role_of
from dagy_runtime.engine.tokens import Claims, Issuer, verified
from dagy_runtime.ports import Ports

_HOW: Final = (
    "Sign in with dagy login, or send 'Authorization: Bearer dgy_…': the CLI does when DAGY_API_KEY or a profile's key "
    "is set."
)


class Entrance(Struct, frozen=True):
    """How people come in. `sign_in_url` is the user pool's own pages, `app_url` where its sign-ins come back to."""

    issuer: Issuer
    sign_in_url: str
    app_url: str


class Gate:
    """Thread-safe."""

    def __init__(self, ports: Ports, entrance: Entrance | None, rate: Rate | None) -> None:
        self._ports = ports
        self._issuer = entrance.issuer if entrance else None
        self.key_ring: Final = KeyRing(ports.public_keys, ports.clock)
        self.book: Final = SessionBook(ports.sessions, ports.clock)
        self._buckets = Buckets(rate) if rate else None

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Raises: Unauthenticated; TooManyRequests; Unavailable when it cannot be found out."""
        text = _presented(headers)
        caller = self._holder(text) if text.startswith(PREFIX) or self._issuer is None else self._user(text)
        if self._buckets is not None:
            wait_s = self._buckets.take(f"{caller.kind} {caller.id}", now=self._ports.clock.now())
            if wait_s is not None:
                raise TooManyRequests(caller.name, wait_s)
        return caller

    def _holder(self, text: str) -> Caller:
        key = authenticate(self._ports.keys, self._ports.clock, text)
        return Caller(kind="key", id=key.id, name=key.name, role=key.role, expires_at=key.expires_at)

    def _user(self, text: str) -> Caller:
        assert self._issuer is not None  # noqa: S101 - the caller's condition
        claims = verified(text, issuer=self._issuer, find_key=self.key_ring.find, now=self._ports.clock.now())
        standing = self.book.standing(claims)
        if is_void(claims, standing):
            raise Unauthenticated("This sign-in was ended", "Sign in again: dagy login")
        return Caller(
            kind="user",
            id=claims.user_id,
            name=standing.email or self._introduced(claims),
            role=role_of(claims, standing),
            expires_at=to_iso(claims.expires_at),
            session=Session(claims.session_id, claims.expires_at),
        )

    def _introduced(self, claims: Claims) -> str:
        """The address of a user who comes for the first time, from the pool: access tokens do not hold it. Asked once
        for each user, unless the pool does not answer; then the id has to do.
        """
        with contextlib.suppress(DagyError):
            user = self._ports.directory.get(claims.user_id)
            if user is not None:
                self._ports.sessions.remember(claims.user_id, user.email)
                self.book.forget()
                return user.email
        return claims.user_id


def _presented(headers: Mapping[str, str]) -> str:
    """The credential that was sent. Raises: Unauthenticated when there is none."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthenticated("The Authorization header is not of the form 'Bearer <key>'", _HOW)
        return text.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    raise Unauthenticated("This needs an API key or a sign-in", _HOW)
