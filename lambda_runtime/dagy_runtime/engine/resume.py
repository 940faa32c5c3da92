"""What a run's stored tasks say about how to go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagy.core.states import Status
from dagy.execution.recorder import Finished
from dagy_runtime.values import TaskRun
from dagy_runtime.worker.frames import PlannedTask


def finished_of(tasks: Sequence[TaskRun], *, flow_attempt: int) -> Finished:
    """What is settled, and how many attempts the rest has used. An attempt that was interrupted (its task is still
    RUNNING in the table) is nobody's fault, so it does not count as used.
    """
    used = []
    for task in tasks:
        attempts = task.attempt - 1 if task.status is Status.RUNNING else task.attempt
        if not task.status.is_final and attempts > 0:
            used.append((task.id, attempts))
    return Finished(
        succeeded=_ids(tasks, Status.SUCCEEDED),
        failed=_ids(tasks, Status.FAILED),
        skipped=_ids(tasks, Status.SKIPPED),
        attempts=tuple(used),
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


def attempt_id(unique: str, *, deaths: int) -> str:
    """An attempt's id remembers how often the whole function has died during this task, so that a task which kills
    its function every time comes to an end.
    """
    return f"{unique}-{deaths}"


def deaths_of(task: TaskRun) -> int:
    """Of the function, while this task ran. A task that is RUNNING when its run is claimed has just survived one."""
    before = int((task.attempt_id or "-0").rpartition("-")[2])
    return before + 1 if task.status is Status.RUNNING else 0


def _ids(tasks: Sequence[TaskRun], status: Status) -> frozenset[str]:
    return frozenset(task.id for task in tasks if task.status is status)
