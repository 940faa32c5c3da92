"""Tasks that are executions of the stage's machines, or run in containers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.isolated.deciding import CONTAINER_OVERDUE_S
from dagy_runtime.engine.isolated.task import Passed, Ran, Stopped
from dagy_runtime.engine.rescue_timer import PERIOD_S
from dagy_runtime.messages import RunTask

ISOLATED = Isolation.TASK_ISOLATED

MIXED = """
    import pathlib
    from dagy import flow, task

    @task(executor="step-functions", retries=1, retry_delay_seconds=600)
    def flaky(path: str):
        tries = pathlib.Path(path)
        if not tries.exists():
            tries.touch()
            raise ConnectionError("not yet")
        return 2

    @task(executor="lambda")
    def double(n: int) -> int:
        return 2 * n

    @task(executor="step-functions", concurrency_limit=1)
    def add(n: int, m: int) -> int:
        return n + m

    @flow
    def f(path: str):
        n = double(flaky(path))
        return [add(n, m) for m in range(3)]
"""


IN_CONTAINERS = """
    import pathlib
    from dagy import flow, task

    @task(executor="ecs", retries=1, retry_delay_seconds=600)
    def flaky(path: str):
        tries = pathlib.Path(path)
        if not tries.exists():
            tries.touch()
            raise ConnectionError("not yet")
        return 2

    @task(executor="step-functions")
    def double(n: int) -> int:
        return 2 * n

    @task(executor="lambda")
    def add(n: int, m: int) -> int:
        return n + m

    @flow
    def f(path: str):
        n = double(flaky(path))
        return [add(n, m) for m in range(3)]
"""


def test_a_task_in_a_container_waits_by_a_timer_whose_message_the_function_sends_on(stage: Any, tmp_path: Any) -> None:
    run_id = stage.submit(stage.deploy(IN_CONTAINERS), {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    stage.deliver()
    assert stage.ran == [Ran(Status.PENDING)]
    [timer] = [timer for timer in stage.ports.timers.set_timers if isinstance(timer.message, RunTask)]
    assert timer.at == stage.tasks(run_id)["flaky-1"].not_before

    stage.until_quiet()

    assert stage.result(run_id) == [4, 5, 6]
    assert stage.ran[1:3] == [Passed("task_sent_on"), Ran(Status.SUCCEEDED)]
    assert [delivery.message.task_run_id for delivery in stage.ports.containers.started] == ["flaky-1"] * 2
    assert [delivery.message.task_run_id for delivery in stage.ports.executions.started] == ["double-1"]


def test_a_container_that_was_lost_is_replaced_when_it_must_have_started(stage: Any, tmp_path: Any) -> None:
    (tmp_path / "tries").touch()
    run_id = stage.submit(stage.deploy(IN_CONTAINERS), {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    [lost] = stage.ports.containers.waiting
    stage.ports.containers.waiting.clear()

    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED
    [_, second] = stage.ports.containers.started
    assert CONTAINER_OVERDUE_S <= second.at - lost.at <= CONTAINER_OVERDUE_S + 2 * PERIOD_S


def test_a_container_that_is_told_to_end_gives_its_task_back_at_once(stage: Any, tmp_path: Any) -> None:
    source = """
        import pathlib, time
        from dagy import flow, task

        @task(executor="ecs")
        def slow(path: str):
            began = pathlib.Path(path)
            if not began.exists():
                began.touch()
                time.sleep(600)
            return 1

        @flow
        def f(path: str):
            return slow(path)
    """
    path = tmp_path / "began"
    run_id = stage.submit(stage.deploy(source), {"path": str(path)}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    [execution] = stage.ports.containers.waiting

    def stop_when_it_began() -> float:
        if path.exists():
            raise Stopped
        return 900.0

    with pytest.raises(Stopped):
        stage.handle(execution.message, is_container=True, time_left=stop_when_it_began)
    stopped = stage.tasks(run_id)["slow-1"]
    assert (stopped.status, stopped.lease_until) == (Status.RUNNING, stage.clock.now())

    stage.go_on()  # no time passes: the execution tries again
    stage.deliver()

    assert stage.result(run_id) == 1
    assert stage.tasks(run_id)["slow-1"].attempt == 1  # being stopped is no attempt


def test_a_stage_without_containers_refuses_the_plan_and_says_how_to_mend_it(stage: Any, tmp_path: Any) -> None:
    flow = stage.deploy(IN_CONTAINERS)
    run_id = stage.submit(flow, {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    bare = replace(stage.ports, containers=None)

    stage.advance(stage.ports.dispatcher.waiting.pop(0).message, ports=bare)

    run = stage.run(run_id)
    assert run.status is Status.FAILED and run.problem is not None
    assert "'flaky-1' wants executor 'ecs', but the stage has no containers" in run.problem.message
    assert "--set fargate=true" in run.problem.message


def test_tasks_of_one_flow_may_have_different_executors(stage: Any, tmp_path: Any) -> None:
    run_id = stage.submit(stage.deploy(MIXED), {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    stage.until_quiet()

    assert stage.result(run_id) == [4, 5, 6]
    executed = [delivery.message.task_run_id for delivery in stage.ports.executions.started]
    assert set(executed) == {"flaky-1", "add-1", "add-2", "add-3"}
    assert {d.message.task_run_id for d in stage.ports.dispatcher.sent if isinstance(d.message, RunTask)} == {
        "double-1"
    }


def test_the_execution_itself_waits_for_the_next_attempt(stage: Any, tmp_path: Any) -> None:
    run_id = stage.submit(stage.deploy(MIXED), {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    stage.deliver()

    [execution] = stage.ports.executions.waiting
    assert execution.at == stage.tasks(run_id)["flaky-1"].not_before == pytest.approx(stage.clock.now() + 600)
    assert not [timer for timer in stage.ports.timers.set_timers if isinstance(timer.message, RunTask)]


def test_an_execution_that_was_lost_is_replaced(stage: Any, tmp_path: Any) -> None:
    (tmp_path / "tries").touch()
    run_id = stage.submit(stage.deploy(MIXED), {"path": str(tmp_path / "tries")}, isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    stage.ports.executions.waiting.clear()

    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED


def test_a_run_in_one_process_refuses_tasks_that_want_an_execution_of_their_own(stage: Any) -> None:
    run = stage.run_to_end(MIXED, {"path": "/nowhere"}, isolation=Isolation.IN_PROCESS)

    assert run.status is Status.FAILED
    assert "'flaky-1' wants executor 'step-functions'" in run.problem.message
    assert "task-isolated" in run.problem.message
