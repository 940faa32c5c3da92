"""What a route is: everything about it that the application, the OpenAPI document and the tests need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from dagy.client import models as m
from dagy_runtime.api.queries import Query
from dagy_runtime.api.repeats import Repeats
from dagy_runtime.api.wire import MAX_BODY_BYTES
from dagy_runtime.values import Role

BASE: Final = "/v1"


class Route(Struct, frozen=True):
    """`path` is below `/v1`; its `{names}` become keyword arguments of the handler, which is called as
    `handler(ctx, [body or query], **names)`. `role` None means open to everyone. `response` None means no body.
    `etag` is the answer's field that counts changes; where it is given, `If-Match` is honoured.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    response: type[m.Response] | None
    role: Role | None
    summary: str
    status: int = 200
    body: type[m.Request] | None = None
    query: type[Query] | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    repeats: Repeats = Repeats.HARMLESS
    etag: str | None = None
