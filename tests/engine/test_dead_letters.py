"""What becomes of messages that AWS gave up on, and of the runs they were for."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import InvalidInput, Unavailable
from dagy.core.sizes import Executor, Isolation
from dagy.core.states import Status
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.dead_letters import bury, parse_failure_event
from dagy_runtime.entrypoints import control, failures
from dagy_runtime.messages import AdvanceRun, StartRun, to_json

FLOW = """
    from dagy import flow, task

    @task
    def add(a: int, b: int) -> int:
        return a + b

    @flow
    def adding(a: int = 1, b: int = 2):
        return add(a, b)
"""

WAITING = """
    from dagy import flow, task

    @task(retries=5, retry_delay_seconds=3600)
    def never() -> int:
        raise ConnectionError("no")

    @flow
    def waiting():
        return never()
"""


def failure_event(
    message: Any, *, request_id: str = "request-1", condition: str = "RetriesExhausted", tries: int = 3
) -> dict[str, Any]:
    """As Lambda sends it to an on-failure destination."""
    return {
        "version": "1.0",
        "timestamp": "2026-03-04T12:03:00.000Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:dagy-dev-runtime-nano:$LATEST",
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "requestPayload": message,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
    }


def given_up(message: AdvanceRun, **how: Any) -> Any:
    return parse_failure_event(failure_event(to_json(message), **how))


@pytest.fixture
def run_id(stage) -> str:
    return stage.submit(stage.deploy(FLOW), {"a": 1, "b": 2})


def claim(stage, run_id: str, owner: str, *, hop: int = 0) -> None:
    stage.ports.runs.claim_run(run_id, owner=owner, now=stage.clock.now(), lease_s=30, hop=hop)


def test_a_message_that_aws_gave_up_on_fails_its_run_with_the_reason(stage, run_id):
    failures.handle(stage.ports, failure_event(to_json(AdvanceRun(run_id))))

    run = stage.run(run_id)
    (letter,) = stage.ports.runs.list_dead_letters(limit=10).items
    assert run.status is Status.FAILED
    assert "after 3 tries (RetriesExhausted): Runtime.ExitError: signal: killed" in run.problem.message
    assert (letter.run_id, letter.message) == (run_id, to_json(AdvanceRun(run_id)))
    assert stage.events(run_id) == ["run_failed"]


@pytest.mark.parametrize(
    "owner, status",
    [
        pytest.param("request-1/x", Status.FAILED, id="the lease is the dead invocation's own"),
        pytest.param("request-2/x", Status.RUNNING, id="another invocation is advancing it"),
    ],
)
def test_a_dead_letter_does_not_end_a_run_that_somebody_advances(stage, run_id, owner, status):
    claim(stage, run_id, owner)

    bury(stage.ports, given_up(AdvanceRun(run_id)))

    assert stage.run(run_id).status is status


@pytest.mark.parametrize(
    "condition, hop, status",
    [
        pytest.param("EventAgeExceeded", 0, Status.RUNNING, id="too old, of the first hop"),
        pytest.param("EventAgeExceeded", 2, Status.RUNNING, id="too old, of the hop that another message has made"),
        pytest.param("EventAgeExceeded", 3, Status.FAILED, id="too old, of the hop that the run waits for"),
        pytest.param("RetriesExhausted", 0, Status.RUNNING, id="tried in vain, of the first hop"),
        pytest.param("RetriesExhausted", 2, Status.FAILED, id="tried in vain, of the hop made last"),
        pytest.param("RetriesExhausted", 3, Status.FAILED, id="tried in vain, of the hop that the run waits for"),
    ],
)
def test_between_two_invocations_only_the_message_that_the_run_waits_for_ends_it(stage, run_id, condition, hop, status):
    for number in range(3):
        claim(stage, run_id, f"request-{number + 5}/x", hop=number)
        stage.ports.runs.release_lease(run_id, owner=f"request-{number + 5}/x")

    bury(stage.ports, given_up(AdvanceRun(run_id, hop), condition=condition))

    assert stage.run(run_id).status is status
    assert len(stage.ports.runs.list_dead_letters(limit=10).items) == 1


@pytest.mark.parametrize("condition", ["EventAgeExceeded", "RetriesExhausted"])
def test_a_run_that_never_began_fails_whatever_happened_to_its_message(stage, run_id, condition):
    bury(stage.ports, given_up(AdvanceRun(run_id), condition=condition))

    assert stage.run(run_id).status is Status.FAILED


@pytest.mark.parametrize(
    "which, status",
    [
        pytest.param("timer", Status.FAILED, id="its timer's"),
        pytest.param("first", Status.RUNNING, id="one from before"),
    ],
)
def test_a_run_that_waits_fails_only_with_its_timers_message(stage, which, status):
    run_id = stage.submit(stage.deploy(WAITING))
    stage.deliver()
    (timer,) = [each for each in stage.ports.timers.set_timers if isinstance(each.message, AdvanceRun)]

    bury(stage.ports, given_up(timer.message if which == "timer" else AdvanceRun(run_id), request_id="other"))

    assert stage.run(run_id).status is status


def test_a_dead_letter_never_changes_a_final_run(stage, run_id):
    stage.until_quiet()

    failures.handle(stage.ports, failure_event(to_json(AdvanceRun(run_id))))

    assert stage.run(run_id).status is Status.SUCCEEDED
    assert len(stage.ports.runs.list_dead_letters(limit=10).items) == 1


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"v": 1, "kind": "brew-coffee"}, id="an unknown kind"),
        pytest.param({"v": 99, "kind": "reconcile"}, id="another version"),
        pytest.param(to_json(AdvanceRun("some-run")), id="one for a runtime function"),
        pytest.param([1, 2], id="no message at all"),
    ],
)
def test_a_message_that_nobody_knows_is_refused_and_what_a_runtime_gave_back_is_kept(stage, event):
    with pytest.raises(InvalidInput):
        control.handle(stage.ports, event)

    failures.handle(stage.ports, failure_event(event))

    assert len(stage.ports.runs.list_dead_letters(limit=10).items) == 1


# --- a crash between the end of a run and that of its tasks -------------------------------------------------


class DiesAfterTheEnd:
    """A store whose process dies when the run has ended, before its tasks have."""

    def __init__(self, stage: Any, run_id: str) -> None:
        self._stage, self._run_id = stage, run_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.ports.runs, name)

    def finish_run(self, *args: Any, **kwargs: Any) -> Any:
        tasks = [replace(task, id=f"{task.id}0") for task in self._stage.tasks(self._run_id).values()]
        self._stage.ports.runs.finish_run(*args, **kwargs)
        self._stage.ports.runs.put_tasks(self._run_id, tasks)  # as open as they were
        raise Unavailable("the function died")


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda ports, timer: cancel_run(ports, timer.run_id), id="a cancel"),
        pytest.param(lambda ports, timer: bury(ports, given_up(timer)), id="a dead letter"),
    ],
)
def test_the_repeat_of_an_end_that_crashed_leaves_no_task_open(stage, end):
    run_id = stage.submit(stage.deploy(WAITING))
    stage.deliver()
    (timer,) = [each for each in stage.ports.timers.set_timers if isinstance(each.message, AdvanceRun)]
    with pytest.raises(Unavailable):
        end(replace(stage.ports, runs=DiesAfterTheEnd(stage, run_id)), timer.message)
    ended = stage.run(run_id)
    assert ended.status.is_final
    assert {task.status for task in stage.tasks(run_id).values()} == {Status.PENDING, Status.CANCELLED}

    end(stage.ports, timer.message)

    assert {task.status for task in stage.tasks(run_id).values()} == {Status.CANCELLED}
    assert stage.run(run_id) == ended


def test_a_message_that_was_to_start_a_run_is_kept_as_what_it_was_with_the_id_of_its_delivery(stage):
    message = to_json(StartRun("daily", {"a": 7}))

    failures.handle(stage.ports, failure_event(message, request_id="request-9"))

    (letter,) = stage.ports.runs.list_dead_letters(limit=10).items
    assert (letter.message, letter.run_id, letter.delivery_id) == (message, None, "request-9")
    assert letter.reason.startswith("AWS Lambda gave up on this message after 3 tries (RetriesExhausted): Runtime")


@pytest.mark.parametrize(
    "cause, told",
    [
        (
            '{"StoppedReason": "CannotPullContainerError: toomanyrequests", "Containers": [{"Name": "task"}]}',
            "CannotPullContainerError: toomanyrequests",
        ),
        (
            '{"StoppedReason": "Essential container in task exited", "Containers": [{"ExitCode": 137}]}',
            "Essential container in task exited (exit code 137)",
        ),
        ("{not json", "{not json"),
        ("signal: killed", "signal: killed"),
    ],
)
def test_of_a_container_only_why_it_ended_is_told(cause, told):
    given_up = failures.parse_failure_event(
        {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": {},
            "responsePayload": {"errorType": "States.TaskFailed", "errorMessage": cause},
        }
    )
    assert given_up.error == f"States.TaskFailed: {told}"


def test_a_task_whose_execution_gave_up_fails_with_the_reason(stage):
    """Whoever tells, Lambda or the task machine, which knows of no request and no number of tries."""
    flow = stage.deploy(FLOW)
    deployment = stage.deployment(flow, default_executor=Executor.STEP_FUNCTIONS, isolation=Isolation.TASK_ISOLATED)
    run_id = stage.submit(flow, {"a": 1, "b": 2}, isolation=Isolation.TASK_ISOLATED, deployment=deployment)
    stage.ports.dispatcher.deliver_all(lambda delivery: stage.handle(delivery.message))
    [execution] = stage.ports.executions.waiting
    stage.ports.executions.waiting.clear()

    failures.handle(
        stage.ports,
        {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": to_json(execution.message),
            "responsePayload": {"errorType": "Lambda.Unknown", "errorMessage": "signal: killed"},
        },
    )
    stage.until_quiet()

    task = stage.tasks(run_id)["add-1"]
    assert (stage.run(run_id).status, task.status) == (Status.FAILED, Status.FAILED)
    assert "(RetriesExhausted): Lambda.Unknown: signal: killed" in task.problem.message
