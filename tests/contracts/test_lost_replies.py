"""A write that went through and whose reply was lost is a write that went through.

Two things can follow: the SDK asks again by itself, and the store must see its own hand in the refusal; or the caller
is told `Unavailable` and asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.adapters import memory
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.ports import Created, Existed, TaskOutcome
from dagy_runtime.values import Draft

NOW = 1_772_625_600.0
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")

pytestmark = pytest.mark.parametrize("world_factory", ["moto"], indirect=True)


@dataclass
class LostReplies:
    """Loses the reply to the write with that number, from 0, counted from when it is armed."""

    client: Any
    number: int | None = None
    seen: int = 0
    lost: list[str] = field(default_factory=list)

    def is_next(self, operation: str) -> bool:
        if self.number is None or operation not in WRITES:
            return False
        self.seen += 1
        if self.seen - 1 != self.number:
            return False
        self.lost.append(operation)
        return True

    def arm(self, number: int) -> None:
        self.number, self.seen, self.lost = number, 0, []

    def ask_again(self, operation: Any, **_: Any) -> float | None:
        """To botocore: wait no second, then send the same request again."""
        return 0.0 if self.is_next(operation.name) else None

    def give_up(self, model: Any, **_: Any) -> None:
        if self.is_next(model.name):
            raise ConnectionClosedError(endpoint_url="https://dynamodb.example")


@pytest.fixture
def client(world) -> Any:
    return Clients({"AWS_REGION": "us-east-1"}).get("dynamodb")


@pytest.fixture
def sdk_asks_again(client) -> Iterator[LostReplies]:
    replies = LostReplies(client)
    client.meta.events.register_first("needs-retry.dynamodb", replies.ask_again, unique_id="lost-replies")
    yield replies
    client.meta.events.unregister("needs-retry.dynamodb", unique_id="lost-replies")


@pytest.fixture
def caller_asks_again(client) -> Iterator[LostReplies]:
    replies = LostReplies(client)
    client.meta.events.register("after-call.dynamodb", replies.give_up, unique_id="lost-replies")
    yield replies
    client.meta.events.unregister("after-call.dynamodb", unique_id="lost-replies")


def _claimed(world, make):
    world.runs.create_run(make.run("one"))
    world.runs.put_tasks("one", [make.task("one", position) for position in range(3)])
    world.runs.claim_run("one", owner="a", now=NOW, lease_s=30, hop=0)


def _started(world, make):
    _claimed(world, make)
    world.runs.start_task("one", "extract-1", attempt=1, attempt_id="a1", started_at=make.at(1))


def _nothing(world, make):
    pass


def _created(world, make):
    world.runs.create_run(make.run("one"))


def _with_key(world, make):
    world.keys.put_key(make.key("k1"))


def _with_letter(world, make):
    world.runs.put_dead_letter(make.dead_letter("d1"))


DRAFT = Draft("d1", "one", "{}", {}, 0, "2026-03-04T12:00:00.000Z", "2026-03-04T12:00:00.000Z", "ann", "ann")
Act = Callable[[Any, Any], Any]
CASES = {
    "create_run": (_nothing, lambda w, m: w.runs.create_run(m.run("one")), 1),
    "create_run with a key": (_nothing, lambda w, m: w.runs.create_run(m.run("one"), idempotency_key="k"), 1),
    "claim_run": (_created, lambda w, m: w.runs.claim_run("one", owner="a", now=NOW, lease_s=30, hop=0), 2),
    "renew_lease": (_claimed, lambda w, m: w.runs.renew_lease("one", owner="a", now=NOW + 9, lease_s=30), 1),
    "release_lease": (_claimed, lambda w, m: w.runs.release_lease("one", owner="a"), 1),
    "finish_run": (
        _claimed,
        lambda w, m: w.runs.finish_run("one", owner="a", status=Status.FAILED, ended_at=m.at(9)),
        2,
    ),
    "finish_run by nobody": (
        _created,
        lambda w, m: w.runs.finish_run("one", owner=None, status=Status.CANCELLED, ended_at=m.at(9)),
        1,
    ),
    "request_cancel": (_claimed, lambda w, m: w.runs.request_cancel("one"), 1),
    "put_tasks": (_created, lambda w, m: w.runs.put_tasks("one", [m.task("one", 0)]), 1),
    "start_task": (
        _claimed,
        lambda w, m: w.runs.start_task("one", "extract-1", attempt=1, attempt_id="a1", started_at=m.at(1)),
        1,
    ),
    "finish_task": (
        _started,
        lambda w, m: w.runs.finish_task(
            "one", "extract-1", attempt_id="a1", outcome=TaskOutcome(Status.SUCCEEDED, 1, m.at(2))
        ),
        1,
    ),
    "settle_tasks": (
        _started,
        lambda w, m: w.runs.settle_tasks(
            "one", ["extract-1", "extract-2"], status=Status.CANCELLED, reason="r", ended_at=m.at(3)
        ),
        1,
    ),
    "append_events": (_created, lambda w, m: w.runs.append_events([m.event("one", n) for n in range(3)]), 1),
    "put_flow": (_nothing, lambda w, m: w.registry.put_flow(m.flow()), 3),
    "put_draft": (_nothing, lambda w, m: w.drafts.put_draft(DRAFT, expected_version=0), 1),
    "begin an answer": (
        _nothing,
        lambda w, m: w.answers.begin("k", request_hash="r", owner="a", now=NOW, lease_s=9),
        1,
    ),
    "put_deployment": (_nothing, lambda w, m: w.registry.put_deployment(m.deployment(), expected_version=0), 1),
    "put_deployment expecting nothing": (
        _nothing,
        lambda w, m: w.registry.put_deployment(m.deployment(), expected_version=None),
        1,
    ),
    "put_key": (_nothing, lambda w, m: w.keys.put_key(m.key("k1")), 1),
    "put_dead_letter": (_nothing, lambda w, m: w.runs.put_dead_letter(m.dead_letter("d1")), 1),
    "mark_replayed": (
        _with_letter,
        lambda w, m: w.runs.mark_replayed("d1", at=m.at(1), by="ann", run_id="one"),
        1,
    ),
    "revoke_key": (_with_key, lambda w, m: w.keys.revoke_key("k1", at=m.at(1)), 1),
}
EVERY_WRITE = [
    pytest.param(*case[:2], number, id=f"{name}, write {number + 1} of {case[2]}")
    for name, case in CASES.items()
    for number in range(case[2])
]


def everything(world) -> list[Any]:
    """What stands in a world after any of the cases."""
    runs = world.runs
    return [
        runs.get_run("one"),
        runs.get_lease("one"),
        runs.list_runs(limit=9).items,
        runs.list_tasks("one", limit=9).items,
        runs.list_events("one", limit=9).items,
        runs.list_dead_letters(limit=9).items,
        world.registry.list_flows(limit=9).items,
        world.registry.latest_flow("etl"),
        world.registry.list_deployments(limit=9).items,
        world.keys.list_keys(limit=9).items,
    ]


@pytest.mark.parametrize("prepare, act, number", EVERY_WRITE)
def test_when_the_sdk_asks_again_the_answer_is_the_one_that_was_lost(
    world, make, sdk_asks_again, prepare: Act, act: Act, number: int
):
    expected = memory.world()
    for each in (expected, world):
        prepare(each, make)
    sdk_asks_again.arm(number)
    assert act(world, make) == act(expected, make)
    assert len(sdk_asks_again.lost) == 1
    assert everything(world) == everything(expected)


@pytest.mark.parametrize("prepare, act, number", EVERY_WRITE)
def test_when_the_caller_asks_again_it_gets_the_same_and_nothing_happens_twice(
    world, make, caller_asks_again, prepare: Act, act: Act, number: int, request
):
    expected = memory.world()
    for each in (expected, world):
        prepare(each, make)
    caller_asks_again.arm(number)
    with pytest.raises(Unavailable, match="ConnectionClosedError"):
        act(world, make)
    assert len(caller_asks_again.lost) == 1
    if any(name in request.node.callspec.id for name in ("deployment", "put_draft", "put_key")):
        return  # a repeat is refused, or counts once more: the caller looks first, as after any Conflict
    answer, first = act(world, make), act(expected, make)
    assert answer == (Existed(first.run) if isinstance(first, Created) else first)
    assert everything(world) == everything(expected)


def test_a_crash_between_the_end_of_a_run_and_of_its_tasks_is_made_good_by_the_redelivery(
    world, make, caller_asks_again
):
    _started(world, make)
    caller_asks_again.arm(0)
    with pytest.raises(Unavailable):
        world.runs.finish_run("one", owner="a", status=Status.FAILED, ended_at=make.at(9))
    assert world.runs.get_run("one").status is Status.FAILED
    assert world.runs.get_task("one", "extract-1").status is Status.RUNNING
    world.runs.claim_run("one", owner="b", now=NOW + 99, lease_s=30, hop=1)
    assert {task.status for task in world.runs.list_tasks("one", limit=9).items} == {Status.CANCELLED}


def test_a_claim_that_was_slow_counts_the_invocations_that_came_in_between(world, make, client):
    world.runs.create_run(make.run("one"))

    def be_quicker(**_: Any) -> None:
        client.meta.events.unregister("before-call.dynamodb.UpdateItem", unique_id="quicker")
        for hop in range(3):
            world.runs.claim_run("one", owner=f"quick-{hop}", now=NOW, lease_s=30, hop=hop)
            world.runs.release_lease("one", owner=f"quick-{hop}")

    client.meta.events.register("before-call.dynamodb.UpdateItem", be_quicker, unique_id="quicker")
    won = world.runs.claim_run("one", owner="slow", now=NOW + 1, lease_s=30, hop=0)
    assert won.run == world.runs.get_run("one")
    assert (won.run.hops, won.run.started_at) == (3, make.at(0))


def test_a_claim_whose_second_write_never_came_is_taken_over_when_its_lease_has_run_out(world, make, caller_asks_again):
    run = make.run("one")
    world.runs.create_run(run)
    caller_asks_again.arm(0)
    with pytest.raises(Unavailable):
        world.runs.claim_run("one", owner="a", now=NOW, lease_s=30, hop=0)
    assert world.runs.get_run("one") == run
    won = world.runs.claim_run("one", owner="b", now=NOW + 30, lease_s=30, hop=0)
    assert won.run == replace(run, status=Status.RUNNING, hops=1, started_at=make.at(30))
