"""What every run store decides alike: how a claim, a start, an outcome or an end changes a value. Pure.

A store applies these to what it read, or writes their results under the condition they state.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from dagy.core.errors import Conflict, InvalidInput
from dagy.core.spec import canonical_json
from dagy.core.states import RUN_TRANSITIONS, TASK_TRANSITIONS, Status, sources_of
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters.cursors import list_id
from dagy_runtime.ports import RunFilter, TaskOutcome
from dagy_runtime.values import Draft, Problem, ResultRef, Run, TaskRun

CLAIMABLE: Final = sources_of(Status.RUNNING, RUN_TRANSITIONS) | {Status.RUNNING}
_OUTCOMES: Final = TASK_TRANSITIONS[Status.RUNNING] - {Status.RUNNING}


def request_hash(run: Run) -> str:
    """What must be the same for two requests with one idempotency key. The flow's version stays out: a deployment
    may have moved between a request and its repeat.
    """
    request = [run.flow_name, run.deployment, dict(run.parameters), *([run.retry_of] if run.retry_of else [])]
    return hashlib.sha256(canonical_json(request).encode()).hexdigest()


def key_reused(idempotency_key: str) -> Conflict:
    return Conflict(
        f"The idempotency key {idempotency_key!r} was used with another flow, deployment or parameters",
        "Use a new key for a new request.",
    )


def run_list(where: RunFilter) -> str:
    """The name of a list of runs, for its cursors."""
    bounds = (where.trigger, where.created_after, where.created_before)
    asked = bounds if any(bounds) else ()
    return list_id("runs", where.flow_name, where.deployment, sorted(where.statuses), *asked)


def dead_letter_list(run_id: str | None) -> str:
    """The name of a list of dead letters, for its cursors."""
    return list_id("dead-letters", run_id) if run_id is not None else list_id("dead-letters")


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    return all(tags.get(key) == value for key, value in (wanted or {}).items())


def draft_changed_meanwhile(draft: Draft, version: int) -> Conflict:
    return Conflict(
        f"Draft '{draft.id}' was changed meanwhile: it is at version {version}, not {draft.version}",
        "Look at it again, then repeat your change.",
    )


def answer_of_another_request() -> Conflict:
    return Conflict("The Idempotency-Key was used for another request", "Use a new key for a new request.")


def claimed(run: Run, *, now: float, hop: int) -> Run:
    return replace(run, status=Status.RUNNING, hops=max(run.hops, hop + 1), started_at=run.started_at or to_iso(now))


def checked_end(status: Status) -> frozenset[Status]:
    """The statuses a run may have for `status` to end it. Raises: InvalidInput when that is not an end of runs."""
    if not status.is_final or status not in RUN_TRANSITIONS:
        raise InvalidInput(f"A run cannot end as {status}")
    return sources_of(status, RUN_TRANSITIONS)


def ended(run: Run, *, status: Status, ended_at: str, problem: Problem | None, result: ResultRef | None) -> Run:
    return replace(run, status=status, ended_at=ended_at, problem=problem, result=result)


def may_start(task: TaskRun, *, attempt: int, attempt_id: str) -> bool:
    """A new attempt takes a task that waits, or one whose attempt was lost. An older attempt never displaces a
    newer one, and an attempt that has ended does not start again.
    """
    if task.status is Status.PENDING:
        return task.attempt_id != attempt_id
    return task.status is Status.RUNNING and (task.attempt_id == attempt_id or attempt >= task.attempt)


def may_be_claimed(task: TaskRun, *, attempt_id: str, now: float) -> bool:
    if task.status is Status.PENDING:
        return task.attempt_id != attempt_id and (task.not_before is None or task.not_before <= now)
    is_lost = task.lease_until is not None and task.lease_until <= now
    return task.status is Status.RUNNING and task.attempt_id != attempt_id and is_lost


def started(task: TaskRun, *, attempt: int, attempt_id: str, started_at: str) -> TaskRun:
    return TaskRun(
        run_id=task.run_id,
        id=task.id,
        task_name=task.task_name,
        status=Status.RUNNING,
        position=task.position,
        depends_on=task.depends_on,
        concurrency_limit=task.concurrency_limit,
        code=task.code,
        arguments=task.arguments,
        executor=task.executor,
        attempt=attempt,
        attempt_id=attempt_id,
        started_at=started_at,
    )


def is_outcome(status: Status) -> bool:
    """Whether an attempt can end so: final, or PENDING for another try."""
    return status in _OUTCOMES


def may_finish(task: TaskRun, *, attempt_id: str, outcome: TaskOutcome) -> bool:
    return task.status is Status.RUNNING and task.attempt_id == attempt_id and is_outcome(outcome.status)


def finished(task: TaskRun, outcome: TaskOutcome) -> TaskRun:
    return replace(
        task,
        status=outcome.status,
        attempt=outcome.attempt,
        ended_at=outcome.ended_at if outcome.status.is_final else None,
        duration_s=outcome.duration_s,
        cpu_s=outcome.cpu_s,
        peak_mib=outcome.peak_mib,
        problem=outcome.problem,
        result=outcome.result,
        lease_until=None,
        not_before=outcome.not_before,
        flow_attempt=outcome.flow_attempt,
    )


def planned(task: TaskRun) -> TaskRun:
    """As it was before anything happened to it."""
    return TaskRun(
        task.run_id,
        task.id,
        task.task_name,
        Status.PENDING,
        task.position,
        tuple(task.depends_on),
        task.concurrency_limit,
        task.code,
        task.arguments,
        task.executor,
    )


def settleable(status: Status) -> frozenset[Status]:
    """The statuses of tasks that `settle_tasks` may make `status`.

    Raises: InvalidInput when that is no end, or one that only an attempt can bring about.
    """
    sources = sources_of(status, TASK_TRANSITIONS)
    if not status.is_final or Status.PENDING not in sources:
        raise InvalidInput(f"Tasks cannot be settled as {status}")
    return sources


def settled(task: TaskRun, *, status: Status, reason: str, ended_at: str) -> TaskRun:
    return replace(task, status=status, problem=settlement(status, reason), ended_at=ended_at)


def settlement(status: Status, reason: str) -> Problem:
    """How a task that ended without an outcome of its own says why."""
    return Problem(status.value.capitalize(), reason)


def end_reason(status: Status) -> str:
    """Why the open tasks of a run that ended are cancelled."""
    return f"The run ended {status}"


_EMAIL: Final = re.compile(r"[^\s@<>\"']{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def checked_email(text: str) -> str:
    """Raises: InvalidInput for what cannot be an address. Whether somebody reads it, only a mail can tell."""
    if len(text) > 254 or not text.isprintable() or not _EMAIL.fullmatch(text):
        raise InvalidInput(f"Invalid email address {text[:100]!r}", "It is like name@example.com.")
    return text


def user_exists(email: str) -> Conflict:
    return Conflict(f"There is a user '{email}' already", "To change the role: dagy users set-role EMAIL ROLE")
