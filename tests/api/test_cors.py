"""Which web pages may call the API from a browser: the app's own, on every route, and no others, on none."""

from __future__ import annotations

from typing import Any

import pytest

from dagy_runtime.api.routes import BASE, ROUTES, Route

APP = "https://api.example"  # where `Stage.app` has its pages
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
STRANGERS = [
    "https://evil.example", "http://api.example", "https://api.example:8443", "https://api.example.evil.example",
    "https://api.example/", "HTTPS://API.EXAMPLE", "null", "*", "", "https://api.example https://evil.example",
]  # fmt: skip


def leave(reply: Any) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}


def path_of(route: Route) -> str:
    return BASE + route.path.replace("{", "").replace("}", "")


every_route = pytest.mark.parametrize("route", [pytest.param(r, id=f"{r.method} {r.path}") for r in ROUTES])


@every_route
def test_pages_of_the_app_may_call_every_route(stage: Any, route: Route) -> None:
    asked = stage.anonymous().request("OPTIONS", path_of(route), headers={"origin": APP, **PREFLIGHT})

    assert asked.status == 204
    told = leave(asked)
    assert told.pop("access-control-allow-methods") == asked.headers["allow"] and route.method in asked.headers["allow"]
    assert told == {
        "access-control-allow-origin": APP,
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
        "access-control-max-age": "7200",
        "access-control-expose-headers": "ETag, Retry-After, Idempotency-Replayed, X-Request-Id, Dagy-Version",
    }
    for client in (stage.anonymous(), stage.client()):  # whatever the answer is, they may read it
        reply = client.request(route.method, path_of(route), headers={"origin": APP})
        assert set(leave(reply)) == {"access-control-allow-origin", "access-control-expose-headers"}


@every_route
@pytest.mark.parametrize("origin", STRANGERS)
def test_no_other_page_is_given_leave(stage: Any, route: Route, origin: str) -> None:
    for method, more in ((route.method, {}), ("OPTIONS", PREFLIGHT)):
        reply = stage.client().request(method, path_of(route), headers={"origin": origin, **more})
        assert leave(reply) == {}


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/callback", "/", "/v1", "/v10/runs"])
def test_what_is_no_part_of_the_api_gives_no_leave_to_anybody(stage: Any, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        assert leave(stage.anonymous().request(method, path, headers={"origin": APP, **PREFLIGHT})) == {}


def test_a_route_that_is_none_tells_the_app_so(stage: Any) -> None:
    reply = stage.anonymous().get("/v1/nothing", headers={"origin": APP})
    assert reply.status == 404 and leave(reply)["access-control-allow-origin"] == APP


def test_a_program_that_is_no_page_is_answered_as_ever(stage: Any) -> None:
    assert leave(stage.client().get("/v1/whoami")) == {}


def test_a_stage_without_sign_ins_has_no_app(stage: Any) -> None:
    from dagy_runtime.api.app import create_app

    client = type(stage.anonymous())(create_app(stage.ports, stage="test", version="1"))
    assert leave(client.get("/v1/health", headers={"origin": APP})) == {}


def test_no_answer_lets_cookies_travel_or_names_everybody(stage: Any) -> None:
    for origin in (APP, *STRANGERS):
        told = leave(stage.client().get("/v1/whoami", headers={"origin": origin}))
        assert "access-control-allow-credentials" not in told and "*" not in told.values()
