"""What a run's stored tasks say about how to go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dagy.core.states import Status
from dagy.execution.recorder import Finished
from dagy_runtime.values import TaskRun
from dagy_runtime.worker.frames import PlannedTask


class Past(Struct, frozen=True):
    """What the id of a task's attempt remembers of the time before it, so that a task which fails in every attempt of
    its flow, or kills its function every time, comes to an end.
    """

    flow_attempt: int  # in which this attempt is made
    attempts_before: int  # made in earlier attempts of the flow
    deaths: int  # of the whole function while this task ran


def attempt_id(unique: str, past: Past) -> str:
    return f"{unique}-{past.flow_attempt}-{past.attempts_before}-{past.deaths}"


def past_of(task: TaskRun | None, *, flow_attempt: int) -> Past:
    """What the task's next attempt is to remember. `task` is as it stood when its run was claimed."""
    if task is None or task.attempt_id is None:
        return Past(flow_attempt, 0, 0)
    last = _remembered(task.attempt_id)
    before = last.attempts_before if last.flow_attempt == flow_attempt else used_attempts(task)
    return Past(flow_attempt, before, deaths_of(task))


def deaths_of(task: TaskRun) -> int:
    """Of the function, while this task ran. A task that is RUNNING when its run is claimed has just survived one."""
    if task.status is not Status.RUNNING or task.attempt_id is None:
        return 0
    return _remembered(task.attempt_id).deaths + 1


def finished_of(tasks: Sequence[TaskRun], *, flow_attempt: int) -> Finished:
    """What is settled, and how many attempts the rest has used, in all and before this attempt of the flow."""
    begun = [task for task in tasks if not task.status.is_final and used_attempts(task) > 0]
    return Finished(
        succeeded=_ids(tasks, Status.SUCCEEDED),
        failed=_ids(tasks, Status.FAILED),
        skipped=_ids(tasks, Status.SKIPPED),
        attempts=tuple((task.id, used_attempts(task)) for task in begun),
        attempts_before=tuple((task.id, past_of(task, flow_attempt=flow_attempt).attempts_before) for task in begun),
        flow_attempt=flow_attempt,
    )


def plan_conflict(stored: Mapping[str, TaskRun], planned: Sequence[PlannedTask]) -> str | None:
    """Why this plan is not the one that the run began with; None when it is.

    A flow's body runs again in every invocation. When it depends on the time, on chance or on the outside world, the
    results kept from before belong to another plan.
    """
    now = {task.id: (position, task) for position, task in enumerate(planned)}
    for task in stored.values():
        if task.id not in now:
            return f"task run '{task.id}' was in it before and is not any more"
        position, again = now[task.id]
        if (position, again.task_name, again.depends_on) != (task.position, task.task_name, task.depends_on):
            return f"task run '{task.id}' has another place or other dependencies than before"
    return None


def used_attempts(task: TaskRun) -> int:
    """An attempt that was interrupted (its task is still RUNNING in the table) is nobody's fault and does not count."""
    return task.attempt - 1 if task.status is Status.RUNNING else task.attempt


def _remembered(attempt_id: str) -> Past:
    return Past(*map(int, attempt_id.split("-")[-3:]))


def _ids(tasks: Sequence[TaskRun], status: Status) -> frozenset[str]:
    return frozenset(task.id for task in tasks if task.status is status)
