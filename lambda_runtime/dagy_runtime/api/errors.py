"""Which HTTP status an error has, and how it is told. The one place where errors become answers.

The body is always `{"error": {"code", "message", "hint", "request_id"}}`. What nobody expected becomes a 500 that
names nothing but the request id; its traceback is in the log under that id.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Final

from dagy.client.models import ErrorBody, ErrorDetail
from dagy.core.errors import (
    Conflict,
    DagyError,
    Forbidden,
    InvalidFlow,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)

_LOG: Final = logging.getLogger("dagy.api")


class MalformedBody(InvalidInput):
    """The body is not JSON as the API reads it."""

    code = "malformed_body"


class BodyTooLarge(InvalidInput):
    """The body is longer than the API takes."""

    code = "body_too_large"


class PreconditionFailed(Conflict):
    """What `If-Match` names is not what stands there."""

    code = "precondition_failed"


class NoSuchRoute(InvalidInput):
    """No route has this path."""

    code = "no_such_route"


class TooManyRequests(DagyError):
    """The caller asks more often than one may. Nothing was done."""

    code = "too_many_requests"

    def __init__(self, name: str, wait_s: float) -> None:
        super().__init__(name, wait_s)
        self.name, self.wait_s = name, wait_s
        self.hint = f"Try again in {math.ceil(wait_s)} s."

    def __str__(self) -> str:
        return f"'{self.name}' sends too many requests"


class MethodNotAllowed(InvalidInput):
    """The path exists, the method does not. `allowed` is the value of the header `Allow`."""

    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{method[:20]} is not allowed on {path}", f"Allowed: {allowed}")
        self.args = (method, path, allowed)
        self.allowed = allowed


STATUSES: Final[Mapping[type[DagyError], int]] = {
    MalformedBody: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NoSuchRoute: 404,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    PreconditionFailed: 412,
    BodyTooLarge: 413,
    InvalidInput: 422,
    InvalidFlow: 422,
    TooManyRequests: 429,
    DagyError: 500,
    Unavailable: 503,
}


def status_of(error: DagyError) -> int:
    """The status of the nearest class in the table."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def told(error: Exception, *, request_id: str) -> tuple[int, ErrorBody, dict[str, str]]:
    """Status, body and headers for an error. One that is ours to fix is logged with its traceback."""
    if not isinstance(error, DagyError):
        _LOG.error("request %s failed", request_id, exc_info=error)
        return 500, _body("internal_error", "Something went wrong inside the API", _LOOK_IT_UP, request_id), {}
    status = status_of(error)
    if status >= 500:
        _LOG.error("request %s failed", request_id, exc_info=error)
    return status, _body(error.code, str(error), error.hint, request_id), _headers(error)


_LOOK_IT_UP: Final = "The API's log has the details under this request id."


def _headers(error: DagyError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="dagy"'}
    if isinstance(error, MethodNotAllowed):
        return {"Allow": error.allowed}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(math.ceil(error.wait_s))}
    return {"Retry-After": "1"} if isinstance(error, Unavailable) else {}


def _body(code: str, message: str, hint: str | None, request_id: str) -> ErrorBody:
    # Messages quote what was sent, which may hold characters that UTF-8 has no form for.
    text, advice = (part and part.encode("utf-8", "replace").decode() for part in (message, hint))
    return ErrorBody(error=ErrorDetail(code=code, message=text or "", hint=advice, request_id=request_id))
