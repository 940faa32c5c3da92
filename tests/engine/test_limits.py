"""Limits that hold across invocations: runs of a deployment, and runs of a task in a run whose tasks are isolated."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import NotFound, Unavailable
from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.adapters import memory
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.isolated.task import Passed
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.messages import AdvanceRun, RunTask
from dagy_runtime.ports.semaphores import semaphore_of_deployment, semaphore_of_task

FLOW = """
    from dagy import flow, task

    @task
    def add(a: int, b: int) -> int:
        return a + b

    @flow
    def adding(a: int = 1, b: int = 2):
        return add(a, b)
"""

LIMITED = """
    from dagy import flow, task

    @task(concurrency_limit=2)
    def double(n: int) -> int:
        return n * 2

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @flow
    def f(n: int = 5):
        return total([double(i) for i in range(n)])
"""


@pytest.fixture
def limited(stage: Any) -> Any:
    """A deployment of which two runs may go on at once."""
    return stage.deployment(stage.deploy(FLOW), max_concurrent_runs=2, schedule=None)


def submit(stage: Any, deployment: Any, count: int = 1, **options: Any) -> list[str]:
    """Runs that were asked for one second after the other."""
    runs = []
    for _ in range(count):
        flow = stage.ports.registry.get_flow(deployment.flow_name, deployment.flow_version)
        runs.append(stage.submit(flow, {"a": 1, "b": 2}, deployment=deployment, **options))
        stage.clock.advance(1)
    return runs


def started(stage: Any) -> list[str]:
    """The runs whose first message was sent, in that order."""
    messages = [delivery.message for delivery in stage.ports.dispatcher.sent]
    return list(dict.fromkeys(message.run_id for message in messages if isinstance(message, AdvanceRun)))


def deliver_next(stage: Any) -> None:
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)


@pytest.mark.parametrize("isolation", Isolation)
def test_excess_runs_wait_and_start_in_the_order_they_were_asked_for(stage: Any, limited: Any, isolation: Any) -> None:
    runs = submit(stage, limited, 5, isolation=isolation)

    assert started(stage) == runs[:2]
    stage.until_quiet()

    assert [stage.run(id).status for id in runs] == [Status.SUCCEEDED] * 5
    assert started(stage) == runs
    assert stage.ports.runs.permit_holders(semaphore_of_deployment(limited.name)) == frozenset()


def test_a_later_run_does_not_overtake_one_that_waits(stage: Any, limited: Any) -> None:
    first, second, third = submit(stage, limited, 3)
    semaphore = semaphore_of_deployment(limited.name)
    stage.ports.runs.release_permit(semaphore, first)  # a permit gets free, and its word is lost

    (fourth,) = submit(stage, limited)

    assert started(stage) == [first, second, third]
    assert stage.run(fourth).status is Status.PENDING


def test_a_cancelled_run_gives_way(stage: Any, limited: Any) -> None:
    first, second, third, fourth = submit(stage, limited, 4)

    cancel_run(stage.ports, third)  # it waited
    cancel_run(stage.ports, first)  # it had not begun
    stage.until_quiet()

    assert [stage.run(id).status for id in (second, fourth)] == [Status.SUCCEEDED] * 2
    assert started(stage) == [first, second, fourth]


class DiesAt:
    """A store, or a dispatcher, whose process dies at the nth thing that is asked of it."""

    def __init__(self, inner: Any, countdown: list[int]) -> None:
        self._inner, self._countdown = inner, countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def asked(*args: Any, **kwargs: Any) -> Any:
            self._countdown[0] -= 1
            if self._countdown[0] < 0:
                raise Unavailable("the function died")
            return method(*args, **kwargs)

        return asked


def dying(ports: Any, after: int) -> Any:
    countdown = [after]
    return replace(ports, runs=DiesAt(ports.runs, countdown), dispatcher=DiesAt(ports.dispatcher, countdown))


@pytest.mark.parametrize("after", range(12))
def test_a_crash_at_any_moment_of_a_submission_keeps_no_permit_for_ever(stage: Any, limited: Any, after: int) -> None:
    (first,) = submit(stage, limited)
    with suppress(Unavailable):
        submit(dataclasses.replace(stage, ports=dying(stage.ports, after)), limited)
    later = submit(stage, limited, 3)
    stage.until_quiet()

    assert [stage.run(id).status for id in (first, *later)] == [Status.SUCCEEDED] * 4
    assert all(run.status.is_final for run in stage.ports.runs.list_runs(limit=10).items)
    assert stage.ports.runs.permit_holders(semaphore_of_deployment(limited.name)) == frozenset()


@pytest.mark.parametrize("after", range(8))
def test_a_crash_at_any_moment_of_an_end_lets_the_next_in(stage: Any, limited: Any, after: int) -> None:
    first, second, third = submit(stage, limited, 3)
    with suppress(Unavailable):
        cancel_run(dying(stage.ports, after), first)
    stage.ports.dispatcher.waiting.clear()
    stage.until_quiet()

    assert [stage.run(id).status for id in (second, third)] == [Status.SUCCEEDED] * 2


def test_the_reconciler_leaves_those_alone_that_only_wait_for_their_turn(stage: Any, limited: Any) -> None:
    runs = submit(stage, limited, 5)
    for id in runs[:2]:  # they run, for long
        stage.ports.runs.claim_run(id, owner=f"{id}/x", now=stage.clock.now(), lease_s=1e6, hop=0)
    stage.ports.dispatcher.waiting.clear()
    stage.clock.advance(600)

    found = reconcile(stage.ports)

    assert found.rescued == () and stage.ports.dispatcher.waiting == []


def test_a_run_of_another_size_is_let_in_by_the_reconciler(stage: Any, limited: Any) -> None:
    class Alone(memory.MemoryDispatcher):
        def to_runtime(self, size: Any, message: Any) -> None:
            raise NotFound("runtime function of size", size)

    *_, third = submit(stage, limited, 3)
    stage.deliver(ports=replace(stage.ports, dispatcher=Alone()))  # whoever ends a run here reaches nobody
    assert stage.run(third).status is Status.PENDING

    stage.until_quiet()

    assert stage.run(third).status is Status.SUCCEEDED


# --- tasks --------------------------------------------------------------------------------------------------


def test_a_task_without_a_permit_waits_in_the_queue_and_is_called(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(LIMITED), {"n": 4}, isolation=Isolation.TASK_ISOLATED)
    deliver_next(stage)
    semaphore = semaphore_of_task(run_id, "double")
    for busy in ("double-3", "double-4"):
        assert stage.ports.runs.acquire_permit(semaphore, busy, permits=2)
    deliver_next(stage)
    deliver_next(stage)
    assert stage.ran == [Passed("task_queued")] * 2
    assert stage.tasks(run_id)["double-1"].status is Status.PENDING

    stage.until_quiet()

    assert stage.result(run_id) == 12
    assert {task.attempt for task in stage.tasks(run_id).values()} == {1}
    assert stage.ports.runs.permit_holders(semaphore) == frozenset()


def test_the_look_at_a_run_sends_no_more_than_there_are_permits(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(LIMITED), {"n": 5}, isolation=Isolation.TASK_ISOLATED)
    deliver_next(stage)
    stage.ports.dispatcher.waiting.clear()
    semaphore = semaphore_of_task(run_id, "double")
    stage.ports.runs.acquire_permit(
        semaphore, "double-5", permits=2
    )  # by a function that died before it claimed the task
    stage.clock.advance(120)

    stage.advance(AdvanceRun(run_id))

    waiting = [delivery.message for delivery in stage.ports.dispatcher.waiting]
    assert {message.task_run_id for message in waiting if isinstance(message, RunTask)} == {"double-1", "double-5"}
    stage.until_quiet()
    assert stage.run(run_id).status is Status.SUCCEEDED
