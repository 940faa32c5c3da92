"""A request that is sent again with its idempotency key is carried out once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dagy.core.errors import Unavailable
from dagy_runtime.adapters.memory import MemoryAnswers, MemoryRegistry
from dagy_runtime.api.repeats import LEASE_S, Repeats
from dagy_runtime.api.routes import ROUTES

KEY = {"Idempotency-Key": "k-1"}
DEPLOYMENT = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "tags": {"a": "b"}}
DRAFT = {"name": "My pipeline", "canvas_json": "{}"}


def test_every_post_that_makes_something_says_what_a_repeat_gets() -> None:
    harmless = {route.path for route in ROUTES if route.method == "POST" and route.repeats is Repeats.HARMLESS}
    assert {path for path in harmless if not path.endswith("cancel")} <= {
        "/logout",
        "/users/{user}/disable",
        "/users/{user}/enable",
    }


def test_a_repeat_gets_the_first_answer_and_changes_nothing(deployed: Any) -> None:
    client = deployed.client("developer")
    first = client.post("/v1/deployments", DEPLOYMENT, headers=KEY)
    client.put("/v1/deployments/daily/settings", {"tags": {"c": "d"}})
    again = client.post("/v1/deployments", DEPLOYMENT, headers=KEY)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert client.get("/v1/deployments/daily").json()["deployment_version"] == 3


def test_two_requests_without_a_key_are_two(stage: Any) -> None:
    client = stage.client("developer")
    assert client.post("/v1/drafts", DRAFT).json()["draft_id"] != client.post("/v1/drafts", DRAFT).json()["draft_id"]


def test_a_repeat_of_a_creation_is_200(stage: Any) -> None:
    replies = [stage.client("developer").post("/v1/drafts", DRAFT, headers=KEY) for _ in range(3)]
    assert [reply.status for reply in replies] == [201, 200, 200]
    assert len({reply.body for reply in replies}) == 1
    assert len(stage.client("viewer").get("/v1/drafts").json()["items"]) == 1


def test_a_key_used_for_another_request_is_refused(stage: Any) -> None:
    client = stage.client("developer")
    client.post("/v1/drafts", DRAFT, headers=KEY)
    refused = client.post("/v1/drafts", {**DRAFT, "name": "Another"}, headers=KEY)
    assert refused.status == 409 and "another request" in refused.error["message"]


def test_keys_of_two_callers_do_not_meet(stage: Any) -> None:
    for role in ("developer", "admin"):
        assert stage.client(role).post("/v1/drafts", DRAFT, headers=KEY).status == 201


def test_a_refused_request_may_be_sent_again_with_its_key(stage: Any, spec: Any) -> None:
    client = stage.client("developer")
    assert client.post("/v1/deployments", DEPLOYMENT, headers=KEY).status == 404
    stage.register(spec())
    assert client.post("/v1/deployments", DEPLOYMENT, headers=KEY).status == 200


def test_a_secret_is_not_kept_and_a_repeat_is_told_so(stage: Any) -> None:
    client = stage.client("admin")
    body = {"name": "ci", "role": "viewer"}
    assert client.post("/v1/keys", body, headers=KEY).status == 201
    again = client.post("/v1/keys", body, headers=KEY)
    assert again.status == 409 and "Take back what it made" in again.error["hint"]
    assert [key["name"] for key in client.get("/v1/keys").json()["items"]].count("ci") == 1


def test_of_64_callers_with_one_key_one_is_carried_out(stage: Any) -> None:
    barrier = threading.Barrier(64)
    client = stage.client("developer")

    def post(_: int) -> Any:
        barrier.wait(timeout=10)
        return client.post("/v1/drafts", DRAFT, headers=KEY)

    with ThreadPoolExecutor(64) as pool:
        replies = list(pool.map(post, range(64)))
    assert {reply.status for reply in replies} <= {200, 201, 503}
    assert [reply.status for reply in replies].count(201) == 1
    assert all(reply.headers["retry-after"] == "1" for reply in replies if reply.status == 503)
    assert len(stage.client("viewer").get("/v1/drafts").json()["items"]) == 1


class Breaking(MemoryRegistry):
    """Fails in the middle of the next put of a deployment: it may have been written."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = error

    def put_deployment(self, *args: Any, **kwargs: Any) -> Any:
        stored = super().put_deployment(*args, **kwargs)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return stored


def test_a_request_that_failed_is_carried_out_by_its_repeat(new_stage: Any, spec: Any) -> None:
    stage = new_stage(registry=Breaking(Unavailable("The table did not answer")))
    stage.register(spec())
    client = stage.client("developer")
    assert client.post("/v1/deployments", DEPLOYMENT, headers=KEY).status == 503
    assert client.post("/v1/deployments", DEPLOYMENT, headers=KEY).status == 200


def test_a_request_that_was_cut_short_is_carried_out_by_a_repeat_a_minute_later(stage: Any) -> None:
    caller = stage.client("developer").key.split("_")[1]
    stage.client("developer").post("/v1/drafts", DRAFT, headers=KEY)
    request = stage.ports.answers._entries[f"key:{caller}:k-1"].request_hash
    stage.ports.answers.begin(
        f"key:{caller}:k-2", request_hash=request, owner="dead", now=stage.clock.now(), lease_s=LEASE_S
    )
    client, other = stage.client("developer"), {"Idempotency-Key": "k-2"}
    assert client.post("/v1/drafts", DRAFT, headers=other).status == 503
    stage.clock.advance(LEASE_S)
    assert client.post("/v1/drafts", DRAFT, headers=other).status == 201


class Forgetful(MemoryAnswers):
    """Cannot write down that anything ended."""

    def finish(self, *_: Any, **__: Any) -> None:
        raise Unavailable("The table did not answer")

    give_up = finish


def test_what_was_done_is_answered_and_what_failed_says_why_also_when_it_cannot_be_kept(new_stage: Any) -> None:
    client = new_stage(answers=Forgetful()).client("developer")
    assert client.post("/v1/drafts", DRAFT, headers=KEY).status == 201
    failed = client.post("/v1/deployments", DEPLOYMENT, headers={"Idempotency-Key": "other"})
    assert failed.status == 404 and "etl" in failed.error["message"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü".encode().decode("latin-1")])
def test_a_key_of_another_form_is_refused(stage: Any, key: str) -> None:
    reply = stage.client("developer").post("/v1/drafts", DRAFT, headers={"Idempotency-Key": key})
    assert reply.status == 422 and "Idempotency-Key" in reply.error["message"]
