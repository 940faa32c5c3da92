"""What becomes of a message that AWS gave up on: it is kept to be listed, and its run ends with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from dagy.core.errors import InvalidInput
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.isolated.deciding import Busy, Start, next_step
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.resume import attempt_id
from dagy_runtime.engine.run_ends import tell_end
from dagy_runtime.engine.run_limits import leave
from dagy_runtime.messages import AdvanceRun, ReleaseTasks, RunTask, from_json
from dagy_runtime.ports import Ports, TaskOutcome
from dagy_runtime.values import DeadLetter, Lease, Problem, Run

_TOO_OLD: Final = "EventAgeExceeded"


class GivenUp(Struct, frozen=True):
    """An on-failure event of a Lambda function's asynchronous invocation.

    Source: "Capturing records of Lambda asynchronous invocations" in the Lambda developer guide. `request_id` is the
    same in all tries of one message, and so begins the owner of any lease they left behind.
    """

    condition: str
    request_id: str
    tries: int
    error: str
    message: Mapping[str, Any]


def is_failure_event(event: Any) -> bool:
    return isinstance(event, Mapping) and "requestPayload" in event and "requestContext" in event


def parse_failure_event(event: Mapping[str, Any]) -> GivenUp:
    context = event.get("requestContext") or {}
    response = event.get("responsePayload") or {}
    payload = event.get("requestPayload")
    if isinstance(response, Mapping):
        parts = [response.get("errorType"), _told_of_container(response.get("errorMessage"))]
        error = ": ".join(str(part) for part in parts if part)
    else:
        error = str(response)
    return GivenUp(
        condition=str(context.get("condition") or "unknown"),
        request_id=str(context.get("requestId") or ""),
        tries=int(context.get("approximateInvokeCount") or 0),
        error=error[:2000],
        message=payload if isinstance(payload, Mapping) else {"payload": payload},
    )


def _told_of_container(message: Any) -> Any:
    """Of a container Step Functions tells all that there is, as JSON; why it ended is one line of it."""
    try:
        container = json.loads(message) if isinstance(message, str) and message.startswith("{") else {}
    except ValueError:
        return message
    reason = container.get("StoppedReason")
    codes = [part.get("ExitCode") for part in container.get("Containers") or [] if isinstance(part, Mapping)]
    ended = ", ".join(f"exit code {code}" for code in codes if code is not None)
    return f"{reason} ({ended})" if reason and ended else reason or message


def reason_of(given_up: GivenUp) -> str:
    tries = f" after {given_up.tries} tries" if given_up.tries else ""
    error = f": {given_up.error}" if given_up.error else ""
    what = "this message" if _message_of(given_up) is None else "the function that advances this run"
    return f"AWS Lambda gave up on {what}{tries} ({given_up.condition}){error}"


def bury(ports: Ports, given_up: GivenUp) -> DeadLetter:
    """Keep the letter, and end its run as FAILED, if the run was waiting for just this message. When another invocation
    has the run, or has had it since, the run is in good hands, or the reconciler will find it. So will it find tasks
    that were to be released.

    A repeat keeps a second letter and changes no run.
    """
    message = _message_of(given_up)
    run_id = message.run_id if message is not None else None
    now = to_iso(ports.clock.now())
    letter = DeadLetter(
        ports.ids.unique(), now, reason_of(given_up), given_up.message, run_id, delivery_id=given_up.request_id
    )
    ports.runs.put_dead_letter(letter)
    if isinstance(message, RunTask):
        _fail_task(ports, message, letter.reason)
    if not isinstance(message, AdvanceRun) or run_id is None:
        return letter
    run = ports.runs.get_run(run_id)
    owner = _owner_to_end(ports.runs.get_lease(run_id), message, given_up)
    if run is None or (owner is None and not _waits_for(run, message, given_up)):
        return letter
    problem = Problem("InvocationFailed", letter.reason)
    ended = ports.runs.finish_run(run_id, owner=owner, status=Status.FAILED, ended_at=now, problem=problem)
    if ended is not None:
        tell_end(ports, ended, reason=letter.reason)
        leave(ports, ended)
    return letter


def _owner_to_end(lease: Lease | None, message: AdvanceRun, given_up: GivenUp) -> str | None:
    """The lease that the dead invocation itself left behind does not stand in the way, though it has not run out; nor
    does the one that a timer kept for this message.
    """
    if lease is None:
        return None
    is_its_own = bool(given_up.request_id) and lease.owner.startswith(f"{given_up.request_id}/")
    return lease.owner if is_its_own or lease.owner == message.parked_as else None


def _waits_for(run: Run, message: AdvanceRun, given_up: GivenUp) -> bool:
    """Whether no later message has moved the run. A final run waits for none, but may have tasks to be cleared up.

    Tries that failed have counted as the message's own hop. A message that only grew too old may have siblings, sent by
    the reconciler, of which one has made it: then it is the run's hop that has moved on.
    """
    own_hops = 0 if given_up.condition == _TOO_OLD else 1
    if run.is_planned and given_up.condition == _TOO_OLD:
        return run.status.is_final  # its tasks carry it, and the reconciler looks after it
    return run.status.is_final or run.hops <= message.hop + own_hops


def _fail_task(ports: Ports, message: RunTask, reason: str) -> None:
    """End the task as FAILED, unless it has ended, waits for a timer, or is in good hands. What follows from that is
    found by the next look at the run: this function may send nothing.
    """
    now = ports.clock.now()
    task = ports.runs.get_task(message.run_id, message.task_run_id)
    step = next_step(task, now=now, pacing=Pacing()) if task is not None else Busy()
    if task is None or not isinstance(step, Start):
        return
    own_id = attempt_id(ports.ids.unique(), step.past)
    claimed = ports.runs.claim_task(
        task.run_id,
        task.id,
        attempt=step.attempt,
        attempt_id=own_id,
        flow_attempt=task.flow_attempt,
        started_at=to_iso(now),
        now=now,
        lease_s=Pacing().lease_s,
    )
    if claimed.attempt_id == own_id:
        problem = Problem("InvocationFailed", reason)
        outcome = TaskOutcome(Status.FAILED, step.attempt, to_iso(now), problem=problem, flow_attempt=task.flow_attempt)
        ports.runs.finish_task(task.run_id, task.id, attempt_id=own_id, outcome=outcome)
        events = EventLog(ports, task.run_id)
        told = {"attempt_id": own_id, "error": reason}
        events.add("task_failed", task_run_id=task.id, attempt=step.attempt, data=told)
        events.flush()


def _message_of(given_up: GivenUp) -> AdvanceRun | RunTask | ReleaseTasks | None:
    try:
        message = from_json(given_up.message)
    except InvalidInput:
        return None
    return message if isinstance(message, (AdvanceRun, RunTask, ReleaseTasks)) else None
