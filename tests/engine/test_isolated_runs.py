"""Each task has an invocation of its own, and messages that are lost, or come twice, change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.isolated.task import Passed, Ran, Repeated
from dagy_runtime.messages import RunTask

ISOLATED = Isolation.TASK_ISOLATED
FAN_OUT = """
    from dagy import flow, task

    @task
    def double(n: int) -> int:
        print(f"doubling {n}")
        return n * 2

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @flow
    def f(n: int = 3):
        return total([double(i) for i in range(n)])
"""


def test_every_task_runs_in_an_invocation_of_its_own_and_exactly_once(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(FAN_OUT), {"n": 3}, isolation=ISOLATED)
    stage.until_quiet()

    assert stage.ran == [Ran(Status.SUCCEEDED)] * 4
    assert stage.result(run_id) == 6


def test_a_message_that_comes_twice_runs_nothing_twice_and_repeats_the_release(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(FAN_OUT), {"n": 2}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)  # planned: two roots are released
    for position, name in enumerate(("double-1", "double-2")):
        stage.handle(RunTask(run_id, name, position))
    stage.ports.dispatcher.waiting.clear()  # what they released is lost

    stage.handle(RunTask(run_id, "double-1", 0))
    stage.deliver()

    assert stage.ran[2:] == [Repeated(), Ran(Status.SUCCEEDED)]
    assert stage.run(run_id).status is Status.SUCCEEDED
    assert stage.tasks(run_id)["total-1"].attempt == 1


def test_lost_messages_are_found_by_the_reconciler(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(FAN_OUT), {"n": 2}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    stage.ports.dispatcher.waiting.clear()

    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED


def test_a_cancelled_run_starts_no_task(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(FAN_OUT), {"n": 2}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)

    assert cancel_run(stage.ports, run_id).status is Status.CANCELLED
    stage.until_quiet()

    assert set(stage.ran) <= {Passed("run_final"), Repeated()}
    assert {task.status for task in stage.tasks(run_id).values()} == {Status.CANCELLED}


@pytest.mark.parametrize("siblings", [1, 2, 5])
def test_a_run_ends_at_once_when_its_last_task_leads_only_to_skipped_ones(stage: Any, siblings: int) -> None:
    source = """
        from dagy import flow, task

        @task
        def bad():
            raise ValueError("no luck")

        @task
        def good():
            return 1

        @task
        def all_of(values):
            return sum(values)

        @flow
        def f(n: int = 2):
            first = bad()
            return all_of([all_of([first, *(good() for _ in range(n))]), *(good() for _ in range(n))])
    """
    run_id = stage.submit(stage.deploy(source), {"n": siblings}, isolation=ISOLATED, fail_fast=False)
    waiting = stage.ports.dispatcher.waiting
    stage.handle(waiting.pop(0).message)  # planned: all but the joins are released
    stage.handle(waiting.pop(0).message)  # the bad one, and because of it both joins end
    stage.handle(waiting.pop().message)  # somebody looks, and the good ones have not ended

    stage.deliver()  # and no time passes, so no reconciler looks

    run, tasks = stage.run(run_id), stage.tasks(run_id)
    assert run.status is Status.FAILED
    assert sorted(task.status for task in tasks.values()) == sorted(
        [Status.FAILED, *[Status.SUCCEEDED] * 2 * siblings, Status.SKIPPED, Status.SKIPPED]
    )
