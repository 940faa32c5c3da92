"""Who may do what, where: the table of routes, and what every route does for everybody."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from dagy.core.errors import Unavailable
from dagy_runtime.api.routes import BASE, ROUTES, Route

DAY_S = 86_400

# A change here is a change of what the API promises.
TABLE = """
GET    /health                                   -
GET    /whoami                                   viewer
POST   /logout                                   viewer
GET    /stage                                    viewer
GET    /openapi.json                             -
POST   /flows                                    developer
GET    /flows                                    viewer
GET    /flows/{name}                             viewer
GET    /flows/{name}/{version}                   viewer
POST   /deployments                              developer
GET    /deployments                              viewer
GET    /deployments/{name}                       viewer
DELETE /deployments/{name}                       developer
PUT    /deployments/{name}/settings              developer
GET    /deployments/{name}/versions              viewer
POST   /deployments/{name}/rollback              developer
POST   /runs                                     developer
POST   /runs/bulk                                developer
POST   /runs/cancel                              developer
GET    /runs                                     viewer
GET    /runs/{run_id}                            viewer
POST   /runs/{run_id}/cancel                     developer
GET    /runs/{run_id}/tasks                      viewer
GET    /runs/{run_id}/tasks/{task_run_id}/result viewer
GET    /runs/{run_id}/events                     viewer
GET    /runs/{run_id}/logs                       viewer
GET    /runs/{run_id}/result                     viewer
GET    /dead-letters                             viewer
GET    /dead-letters/{letter_id}                 viewer
POST   /dead-letters/{letter_id}/replay          developer
POST   /drafts                                   developer
GET    /drafts                                   viewer
GET    /drafts/{draft_id}                        viewer
PUT    /drafts/{draft_id}                        developer
DELETE /drafts/{draft_id}                        developer
POST   /packages                                 developer
GET    /packages                                 viewer
GET    /packages/{slug}                          viewer
DELETE /packages/{slug}                          developer
POST   /keys                                     admin
GET    /keys                                     admin
DELETE /keys/{key_id}                            admin
GET    /users                                    admin
POST   /users                                    admin
GET    /users/{user}                            admin
PUT    /users/{user}/role                        admin
POST   /users/{user}/disable                     admin
POST   /users/{user}/enable                      admin
DELETE /users/{user}                            admin
GET    /audit                                    admin
"""


def test_the_routes_and_their_roles_are_these() -> None:
    found = [f"{route.method:6} {route.path:40} {route.role or '-'}" for route in ROUTES]
    assert [" ".join(line.split()) for line in found] == [" ".join(line.split()) for line in TABLE.split("\n") if line]


def test_every_route_has_a_summary_of_its_own() -> None:
    assert len({route.summary for route in ROUTES}) == len(ROUTES)


def path_of(route: Route) -> str:
    names = {
        "name": "daily",
        "version": "1.0",
        "run_id": "etl-1",
        "task_run_id": "load-1",
        "key_id": "ABC",
        "draft_id": "ABC",
        "letter_id": "ABC",
        "user": "a@example.com",
        "slug": "A1B2C3D4",
    }
    return BASE + route.path.format(**names)


every_route = pytest.mark.parametrize("route", [pytest.param(r, id=f"{r.method} {r.path}") for r in ROUTES])
ORDER = ["viewer", "developer", "admin"]


@every_route
@pytest.mark.parametrize("who", ["nobody", "garbage", "revoked", "expired", *ORDER])
def test_every_route_lets_in_whom_it_should(stage: Any, route: Route, who: str) -> None:
    if who == "nobody":
        client = stage.anonymous()
    elif who == "garbage":
        client = type(stage.anonymous())(stage.app, "dgy_" + "A" * 26 + "_" + "B" * 43)
    else:
        client = stage.client(who if who in ORDER else "admin")
        key_id = client.key.split("_")[1]
        if who == "revoked":
            stage.ports.keys.revoke_key(key_id, at="2026-03-04T12:00:00.000Z")
        elif who == "expired":
            stage.clock.advance(91 * DAY_S)
    reply = client.request(route.method, path_of(route))

    if route.role is None:
        assert reply.status == 200
    elif who not in ORDER:
        assert reply.status == 401 and "www-authenticate" in reply.headers
    elif ORDER.index(who) < ORDER.index(route.role.value):
        assert reply.status == 403
        assert reply.error["message"].startswith(f"This needs the role '{route.role}'")
    else:
        assert reply.status not in (401, 403) and reply.status < 500


@every_route
@pytest.mark.parametrize("who", ["viewer", "developer", "admin", "outsider", "stranger", "disabled", "signed out"])
def test_every_route_lets_in_the_users_whom_it_should(signing_stage: Any, pool: Any, route: Route, who: str) -> None:
    stage = signing_stage
    now = stage.clock.now()
    match who:
        case "outsider":
            client = stage.user(pool)
        case "stranger":
            client = stage.user(pool, "admin", iss="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other")
        case "disabled":
            client = stage.user(pool, "admin", name="u-9")
            stage.ports.sessions.void("u-9", at=now)
        case "signed out":
            client = stage.user(pool, "admin", name="u-9")
            stage.ports.sessions.end("session-of-u-9", until=now + 1)
        case _:
            client = stage.user(pool, who)
    reply = client.request(route.method, path_of(route))

    if route.role is None:
        assert reply.status == 200
    elif who in ("stranger", "disabled", "signed out"):
        assert reply.status == 401 and "www-authenticate" in reply.headers
    elif who == "outsider" or ORDER.index(who) < ORDER.index(route.role.value):
        assert reply.status == 403
        assert reply.error["message"].startswith(f"This needs the role '{route.role}'")
    else:
        assert reply.status not in (401, 403) and reply.status < 500


@every_route
def test_every_refusal_has_the_documented_shape_and_every_answer_the_headers(stage: Any, route: Route) -> None:
    for client in (stage.anonymous(), stage.client("admin")):
        reply = client.request(route.method, path_of(route))
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["strict-transport-security"].startswith("max-age=")
        assert reply.headers["x-request-id"]
        if reply.status >= 400:
            assert set(reply.json()) == {"error"}
            assert set(reply.error) == {"code", "message", "hint", "request_id"}
            assert reply.error["request_id"] == reply.headers["x-request-id"]
            assert reply.headers["content-type"] == "application/json"


@every_route
def test_every_path_names_its_methods(stage: Any, route: Route) -> None:
    allowed = {r.method for r in ROUTES if r.path == route.path} | {"OPTIONS"}
    if "GET" in allowed:
        allowed.add("HEAD")
    asked = stage.anonymous().request("OPTIONS", path_of(route))
    assert asked.status == 204 and set(asked.headers["allow"].split(", ")) == allowed
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "BREW"} - allowed:
        refused = stage.anonymous().request(method, path_of(route))
        assert refused.status == 405 and set(refused.headers["allow"].split(", ")) == allowed
        assert refused.error["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/runs/", "/v2/runs", "/v1/nothing", "/v1/runs/a/b/c/d", "/v1//runs"]
)
def test_other_paths_are_404_without_a_redirect(stage: Any, path: str) -> None:
    reply = stage.client("admin").get(path)
    assert reply.status == 404 and reply.error["code"] == "no_such_route"
    assert reply.headers["x-content-type-options"] == "nosniff" and "location" not in reply.headers


def test_head_is_get_without_the_body(stage: Any) -> None:
    got = stage.anonymous().get("/v1/health")
    headed = stage.anonymous().request("HEAD", "/v1/health")
    assert headed.status == 200 and headed.body == b""
    assert headed.headers["content-length"] == str(len(got.body)) == got.headers["content-length"]


def test_health_tells_nothing_but_version_and_stage(stage: Any) -> None:
    reply = stage.anonymous().get("/v1/health")
    assert reply.json() == {"status": "ok", "version": "9.9.9", "stage": "test"}


class Failing:
    """A run store of which only this much works."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def list_runs(self, **_: object) -> None:
        raise self.error


def test_what_nobody_expected_is_a_500_that_names_only_the_request(
    new_stage: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    reply = new_stage(runs=Failing(RuntimeError("the password is swordfish"))).client("viewer").get("/v1/runs")
    assert reply.status == 500 and reply.error["code"] == "internal_error"
    assert b"swordfish" not in reply.body
    assert reply.error["request_id"] in caplog.text and "swordfish" in caplog.text


def test_a_store_that_does_not_answer_is_a_503_to_be_repeated(new_stage: Callable[..., Any]) -> None:
    reply = new_stage(runs=Failing(Unavailable("The table did not answer"))).client("viewer").get("/v1/runs")
    assert reply.status == 503 and reply.headers["retry-after"] == "1"


def test_each_request_is_one_line_in_the_log(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dagy.api")
    reply = stage.client("viewer").get("/v1/runs/secret-run-id")
    [record] = [r for r in caplog.records if r.name == "dagy.api"]
    line = json.loads(record.getMessage())
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/runs/{run_id}", 404)
    assert line["caller"] == stage.texts["viewer"].split("_")[1]
