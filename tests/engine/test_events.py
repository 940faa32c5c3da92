"""What a run's events tell of each task, also when every task has an invocation of its own."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.values import Event

ISOLATED = Isolation.TASK_ISOLATED
FLOW = """
    from dagy import flow, task

    @task
    def root():
        return 1

    @task
    def leaf_with_a_name_that_is_quite_long(n, i):
        return n + i

    @task(retries=1)
    def total(numbers, *, luck):
        import pathlib
        if not pathlib.Path(luck).exists():
            pathlib.Path(luck).touch()
            raise ValueError("no luck")
        return sum(numbers)

    @flow
    def f(luck: str):
        n = root()
        return total([leaf_with_a_name_that_is_quite_long(n, i) for i in range(20)], luck=luck)
"""


def events_of(stage: Any, run_id: str) -> list[Event]:
    return list(stage.ports.runs.list_events(run_id, limit=1000).items)


def test_the_event_of_a_tasks_end_names_those_that_it_released(stage: Any, tmp_path: Any) -> None:
    run = stage.run_to_end(FLOW, {"luck": str(tmp_path)}, isolation=ISOLATED)

    ends = {event.task_run_id: event.data for event in events_of(stage, run.id) if event.type == "task_succeeded"}
    released = ends["root-1"]["released"]
    assert released == [f"leaf_with_a_name_that_is_quite_long-{n}" for n in range(1, len(released) + 1)]
    assert len(released) + ends["root-1"]["released_more"] == 20 and sum(map(len, released)) < 400
    assert [data["released"] for data in ends.values() if "total-1" in data.get("released", ())] == [["total-1"]]
    assert "released" not in ends["total-1"]


@pytest.mark.parametrize("isolation", Isolation)
def test_what_happened_to_an_attempt_is_told_with_its_id(stage: Any, tmp_path: Any, isolation: Isolation) -> None:
    run = stage.run_to_end(FLOW, {"luck": str(tmp_path / "luck")}, isolation=isolation)

    of_total = [event for event in events_of(stage, run.id) if event.task_run_id == "total-1"]
    assert [(event.type, event.attempt) for event in of_total] == [
        ("task_started", 1),
        ("task_retrying", 1),
        ("task_started", 2),
        ("task_succeeded", 2),
    ]
    assert of_total[-1].data["attempt_id"] == stage.tasks(run.id)["total-1"].attempt_id
    assert all(of_total[n].data["attempt_id"] == of_total[n + 1].data["attempt_id"] for n in (0, 2))


def test_the_start_of_an_isolated_task_tells_when_it_was_claimed(stage: Any, tmp_path: Any) -> None:
    run = stage.run_to_end(FLOW, {"luck": str(tmp_path)}, isolation=ISOLATED)

    started = [event for event in events_of(stage, run.id) if event.type == "task_started"]
    assert [event.data["claimed_at"] for event in started] == [
        stage.tasks(run.id)[event.task_run_id].started_at for event in started
    ]


@pytest.mark.parametrize("isolation", Isolation)
def test_the_end_of_a_run_tells_of_each_task_that_it_cancelled(stage: Any, tmp_path: Any, isolation: Isolation) -> None:
    run_id = stage.submit(stage.deploy(FLOW), {"luck": str(tmp_path)}, isolation=isolation)
    if isolation is ISOLATED:
        stage.advance(run_id)
        stage.handle(stage.ports.dispatcher.waiting.pop().message)  # the root
        cancel_run(stage.ports, run_id)
    else:  # its function's time runs out at once
        stage.advance(AdvanceRun(run_id), budget=lambda: iter([900.0, 900.0, *[1.0] * 1000]).__next__)
    stage.until_quiet()

    cancelled = [id for id, task in stage.tasks(run_id).items() if task.status is Status.CANCELLED]
    told = [event.task_run_id for event in events_of(stage, run_id) if event.type == "task_cancelled"]
    assert told == cancelled and len(cancelled) >= 20
    assert stage.events(run_id)[-1] == f"run_{stage.run(run_id).status.lower()}"
