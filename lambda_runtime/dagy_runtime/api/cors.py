"""Which web pages may call the API from a browser: the app's own, and no others.

While the app's pages are this function's, their calls go to where they come from, and browsers need no leave. An app
with a host of its own needs it. Calls carry tokens in a header, never cookies, so credentials are not allowed for.
Answers are not stored (`Cache-Control: no-store`), so none needs a `Vary`.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagy_runtime.api.route import BASE

_ANY: Final = (
    (b"access-control-expose-headers", b"ETag, Retry-After, Idempotency-Replayed, X-Request-Id, Dagy-Version"),
)
_PREFLIGHT: Final = (
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key, If-Match"),
    (b"access-control-max-age", b"7200"),
)


class AppOnly:
    """The API, with leave for pages of `origin`. Whoever else asks gets what any program gets."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app, self._origin = app, origin.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_of_api = scope["type"] == "http" and scope["path"].startswith(f"{BASE}/")
        given = dict(scope["headers"]) if is_of_api else {}
        if given.get(b"origin") != self._origin:
            await self._app(scope, receive, send)
            return
        is_preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in given

        async def permitting(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"access-control-allow-origin", self._origin), *_ANY]
                if is_preflight:
                    headers += [*_PREFLIGHT, (b"access-control-allow-methods", dict(headers).get(b"allow", b""))]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, permitting)
