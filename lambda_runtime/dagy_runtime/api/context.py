"""What every handler is given besides the request's own values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from dagy.client.models import Response
from dagy.core.offer import Offer
from dagy_runtime.ports import Ports
from dagy_runtime.values import Role


class Session(Struct, frozen=True):
    """What a token belongs to, and when the token expires, in seconds since the epoch."""

    id: str
    expires_at: float


class Caller(Struct, frozen=True):
    """Who is asking. `kind` is `key`, `user`, or `nobody`, who has no role. Only users have sessions."""

    kind: str
    id: str
    name: str
    role: Role | None
    expires_at: str | None = None
    session: Session | None = None


NOBODY: Final = Caller(kind="nobody", id="", name="nobody", role=None)


class Context(Struct, frozen=True):
    """One request. `idempotency_key` and `if_match` are the headers' values; the latter is the version in the ETag."""

    ports: Ports
    offer: Offer
    version: str
    request_id: str
    caller: Caller
    idempotency_key: str | None = None
    if_match: int | None = None
    forget_sessions: Callable[[], object] = lambda: None
    """To be called after a change of what tokens cannot know, so that it counts here at once."""


class Already(Struct, frozen=True):
    """An earlier request had done it: the same answer, with status 200 instead of 201."""

    body: Response
