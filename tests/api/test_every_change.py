"""Every route that changes something: whoever may not changes nothing, whoever may leaves exactly one record.

The table makes for each of them what it needs to succeed. A route that is not in it fails the first test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagy_runtime.adapters.memory import MemoryPublicKeys
from dagy_runtime.api.repeats import Repeats
from dagy_runtime.api.routes import BASE, ROUTES
from dagy_runtime.messages import StartRun, to_json
from dagy_runtime.values import DeadLetter

ORDER = ["outsider", "viewer", "developer", "admin"]


@dataclass
class World:
    """A stage with flow `etl` and deployment `daily`, in two versions, and whatever a request needs beside them."""

    stage: Any
    spec: Any
    folder: Path

    def made(self, path: str, body: Any) -> Any:
        reply = self.stage.client("admin").post(f"/v1{path}", body)
        assert reply.status in (200, 201), reply.body
        return reply.json()

    def run(self) -> str:
        return str(self.made("/runs", {"deployment": "daily"})["run_id"])

    def letter(self) -> str:
        """About a run that should have started."""
        message = to_json(StartRun("daily"))
        self.stage.ports.runs.put_dead_letter(DeadLetter("letter-1", "2026-03-04T12:00:00.000Z", "gone", message))
        return "letter-1"

    def user(self) -> str:
        return str(self.made("/users", {"email": "ann@example.com", "sends_email": False})["email"])

    def package(self) -> dict[str, Any]:
        made: dict[str, Any] = self.stage.upload_package(self.folder)
        return made


DRAFT = {"name": "mine", "canvas_json": "{}"}
DEPLOYMENT = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "tags": {"a": "b"}}
MONDAY = [{"parameters": {"day": "monday"}}]

# What each is asked for, its body, and the resource that is recorded; the path, where there is none.
Asking = Callable[[World], tuple[str, Any, str]]
CHANGES: dict[str, Asking] = {
    "POST /logout": lambda w: ("/logout", None, "logout"),
    "POST /flows": lambda w: ("/flows", {"flow_spec": w.spec("new").to_dict(), "artifact": w.stage.upload()},
                              "flows/new/1.0"),
    "POST /deployments": lambda w: ("/deployments", {**DEPLOYMENT, "name": "nightly"}, "deployments/nightly"),
    "DELETE /deployments/{name}": lambda w: ("/deployments/daily", None, "deployments/daily"),
    "PUT /deployments/{name}/settings": lambda w: ("/deployments/daily/settings", {"status": "PAUSED"},
                                                   "deployments/daily"),
    "POST /deployments/{name}/rollback": lambda w: ("/deployments/daily/rollback", {"deployment_version": 1},
                                               "deployments/daily"),
    "POST /runs": lambda w: ("/runs", {"deployment": "daily"}, "runs/{run_id}"),
    "POST /runs/bulk": lambda w: ("/runs/bulk", {"deployment": "daily", "items": MONDAY}, "runs"),
    "POST /runs/cancel": lambda w: ("/runs/cancel", {"deployment": w.run() and "daily"}, "runs"),
    "POST /runs/{run_id}/cancel": lambda w: (f"/runs/{w.run()}/cancel", None, "runs/{run_id}"),
    "POST /dead-letters/{letter_id}/replay": lambda w: (f"/dead-letters/{w.letter()}/replay", None,
                                                        "dead-letters/{id}"),
    "POST /drafts": lambda w: ("/drafts", DRAFT, "drafts/{draft_id}"),
    "PUT /drafts/{draft_id}": lambda w: (f"/drafts/{w.made('/drafts', DRAFT)['draft_id']}", {"name": "other"},
                                         "drafts/{draft_id}"),
    "DELETE /drafts/{draft_id}": lambda w: (f"/drafts/{w.made('/drafts', DRAFT)['draft_id']}", None, ""),
    "POST /packages": lambda w: ("/packages", w.package(), "packages/{slug}"),
    "DELETE /packages/{slug}": lambda w: (f"/packages/{w.made('/packages', w.package())['slug']}", None, ""),
    "POST /keys": lambda w: ("/keys", {"name": "ci"}, "keys/{id}"),
    "DELETE /keys/{key_id}": lambda w: (f"/keys/{w.made('/keys', {'name': 'ci'})['id']}", None, "keys/{id}"),
    "POST /users": lambda w: ("/users", {"email": "bob@example.com"}, "users/{email}"),
    "PUT /users/{user}/role": lambda w: (f"/users/{w.user()}/role", {"role": "developer"}, "users/{email}"),
    "POST /users/{user}/disable": lambda w: (f"/users/{w.user()}/disable", None, "users/{email}"),
    "POST /users/{user}/enable": lambda w: (f"/users/{w.user()}/enable", None, "users/{email}"),
    "DELETE /users/{user}": lambda w: (f"/users/{w.user()}", None, "users/{email}"),
}  # fmt: skip
WRITING = {f"{route.method} {route.path}": route for route in ROUTES if route.method != "GET"}


@pytest.fixture
def world(new_stage: Any, pool: Any, spec: Any, tmp_path: Path) -> World:
    stage = new_stage(public_keys=MemoryPublicKeys({pool.kid: pool.public}))
    assert stage.register(spec()).status == 200
    for tags in ({"a": "b"}, {"a": "c"}):
        body = {**DEPLOYMENT, "parameters": {"day": "monday"}, "tags": tags}
        assert stage.client("developer").post("/v1/deployments", body).status == 200
    return World(stage, spec, tmp_path)


def entries(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.stage.client("admin").get("/v1/audit", query={"limit": 1000}).json()["items"]
    return found


def standing(world: World) -> list[Any]:
    """Everything that the routes can change, as the API shows it, but for the keys of the tests' own clients."""
    client = world.stage.client("admin")
    lists = (
        "flows",
        "deployments",
        "runs",
        "drafts",
        "packages",
        "users",
        "deployments/daily/versions",
        "dead-letters",
    )
    return [client.get(f"/v1/{name}").json() for name in lists]


def test_every_route_that_changes_something_is_in_the_table() -> None:
    assert set(CHANGES) == set(WRITING)


every_change = pytest.mark.parametrize("name", CHANGES)


@every_change
def test_who_may_not_changes_nothing_and_leaves_no_record(world: World, pool: Any, name: str) -> None:
    route = WRITING[name]
    path, body, _ = CHANGES[name](world)
    before, recorded = standing(world), entries(world)

    for role in ORDER[: ORDER.index(str(route.role))]:
        user = world.stage.user(pool, *([] if role == "outsider" else [role]), name=f"{role}-1")
        assert user.request(route.method, BASE + path, json_body=body).status == 403
        if role != "outsider":
            assert world.stage.client(role).request(route.method, BASE + path, json_body=body).status == 403
    assert world.stage.anonymous().request(route.method, BASE + path, json_body=body).status == 401

    assert standing(world) == before and entries(world) == recorded


@every_change
def test_who_may_leaves_exactly_one_record(world: World, pool: Any, name: str) -> None:
    route = WRITING[name]
    path, body, resource = CHANGES[name](world)
    recorded = entries(world)
    client = world.stage.user(pool, str(route.role), name="u-1")

    reply = client.request(route.method, BASE + path, json_body=body)

    assert reply.status == route.status, reply.body
    answer = json.loads(reply.body or b"{}")
    newest, *rest = entries(world)
    assert rest == recorded
    assert (newest["actor_kind"], newest["actor_id"]) == ("user", "u-1")
    assert newest["request_id"] == reply.headers["x-request-id"]
    assert newest["resource"] == (resource.format(**answer) or path[1:])


@pytest.mark.parametrize("name", [name for name, route in WRITING.items() if route.repeats is not Repeats.HARMLESS])
def test_a_repeat_that_does_nothing_leaves_no_second_record(world: World, pool: Any, name: str) -> None:
    route = WRITING[name]
    path, body, _ = CHANGES[name](world)
    client = world.stage.user(pool, str(route.role), name="u-1")
    assert client.post(BASE + path, body, headers={"Idempotency-Key": "once"}).status == route.status
    recorded = entries(world)

    again = client.post(BASE + path, body, headers={"Idempotency-Key": "once"})

    assert again.status == (409 if route.repeats is Repeats.REFUSED else 200)
    assert entries(world) == recorded


def test_what_was_only_looked_at_leaves_no_record(world: World) -> None:
    world.run()
    recorded = entries(world)

    reply = world.stage.client("developer").post("/v1/runs/cancel", {"deployment": "daily", "dry_run": True})

    assert reply.json()["total"] == 1 and entries(world) == recorded
