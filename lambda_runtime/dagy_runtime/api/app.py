"""The ASGI application: the only file that knows the web framework.

A request is read here, decided in `handling`, and answered here. Handlers are plain blocking functions, so each runs
in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from dagy.core.platforms import Platform
from dagy.core.sizes import Size
from dagy.origin import origin_of
from dagy_runtime.api.answers import Answer
from dagy_runtime.api.callers import Entrance, Gate
from dagy_runtime.api.cors import AppOnly
from dagy_runtime.api.errors import BodyTooLarge, NoSuchRoute
from dagy_runtime.api.handling import Arrived, Service
from dagy_runtime.api.pages_html import Page
from dagy_runtime.api.routes import BASE, ROUTES, Route
from dagy_runtime.api.sign_in import Pages
from dagy_runtime.api.supported import offer
from dagy_runtime.engine.buckets import Rate
from dagy_runtime.ports import Ports
from dagy_runtime.this_platform import this_platform

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    ports: Ports,
    *,
    stage: str,
    version: str,
    sizes: Sequence[Size] = tuple(Size),
    routes: tuple[Route, ...] = ROUTES,
    platform: Platform | None = None,
    entrance: Entrance | None = None,
    rate: Rate | None = None,
    has_containers: bool = False,
) -> Starlette:
    """The API over these ports. `sizes` are those that the stage has functions for, `platform` what those run on: what
    this does, unless it is given. Without an `entrance` only API keys are let in; `rate` is what each caller may ask
    of this process; `has_containers` is whether tasks can run on Fargate. Starts nothing and needs no lifespan.
    """
    gate = Gate(ports, entrance, rate)
    offered = offer(stage, sizes, platform or this_platform(), has_containers=has_containers)
    service = Service(ports, offered, gate, version=version)
    by_path = groupby(sorted(routes, key=_path), key=_path)
    paths = [
        StarletteRoute(f"{BASE}{path}", endpoint=_Path(service, {route.method: route for route in group}))
        for path, group in by_path
    ]

    if entrance is not None:
        paths += sign_in_routes(Pages(ports, entrance, gate.key_ring.find, stage=stage))

    async def no_route(request: Request, error: Exception) -> Response:
        return _response(service.refused(NoSuchRoute(f"No such route: {request.url.path[:200]}")), request.method)

    origin = origin_of(entrance.app_url) if entrance is not None else None
    layers = [Middleware(AppOnly, origin=origin)] if origin else []
    app = Starlette(routes=paths, exception_handlers={404: no_route}, middleware=layers)
    app.router.redirect_slashes = False  # a redirect would be built from the Host header, which is the caller's
    return app


def sign_in_routes(pages: Pages) -> list[StarletteRoute]:
    """They are for browsers, so they are not part of the API and not below `/v1`."""

    def begin(request: Request) -> Response:
        return _page(pages.begin(request.query_params.multi_items()))

    def finish(request: Request) -> Response:
        return _page(pages.finish(request.query_params.multi_items(), request.cookies))

    return [
        StarletteRoute("/sign-in", begin, methods=["GET"]),
        StarletteRoute("/sign-in/callback", finish, methods=["GET"]),
    ]


def _page(page: Page) -> Response:
    return Response(page.body, page.status, {**SECURITY_HEADERS, **page.headers})


class _Path:
    """Everything on one path. HEAD is GET without the body; OPTIONS says what is allowed."""

    def __init__(self, service: Service, routes: dict[str, Route]) -> None:
        self._service, self._routes = service, routes
        more = ["HEAD"] if "GET" in routes else []
        self._allowed = ", ".join(sorted([*routes, *more, "OPTIONS"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            return
        await _response(answer, request.method)(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Answer(204, b"", {"Allow": self._allowed})
        route = self._routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return self._service.not_allowed(request.method, request.url.path, self._allowed)
        try:
            body = await _read(request, route.max_body_bytes)
        except BodyTooLarge as error:
            return self._service.refused(error)
        arrived = Arrived(
            headers=request.headers,
            path={name: str(value) for name, value in request.path_params.items()},
            query=tuple(request.query_params.multi_items()),
            body=body,
        )
        return await run_in_threadpool(self._service.handle, route, arrived)


async def _read(request: Request, max_bytes: int) -> bytes:
    """Raises: BodyTooLarge as soon as that is certain; the rest is not read."""
    refusal = BodyTooLarge(f"The body is larger than {max_bytes} bytes", "Pass large data by reference, as s3:// URIs.")
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise refusal
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise refusal
    return bytes(body)


def _response(answer: Answer, method: str) -> Response:
    headers = {**SECURITY_HEADERS, **answer.headers}
    if answer.status == 204:
        return Response(status_code=204, headers=headers)
    headers["Content-Type"] = "application/json"
    if method == "HEAD":
        return Response(b"", answer.status, {**headers, "Content-Length": str(len(answer.body))})
    return Response(answer.body, answer.status, headers)


def _path(route: Route) -> str:
    return route.path
