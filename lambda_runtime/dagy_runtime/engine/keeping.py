"""What a run that retries another keeps of it: accepted results whose task's code and arguments are the same. Pure.

The other run stays as it ended. This one is a new generation: a run of its own, whose kept tasks have succeeded before
it begins, with the results that were accepted then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dagy.core.states import Status
from dagy_runtime.values import Run, TaskRun

_NOT_FINISHED: Final = {Status.FAILED: "it failed", Status.SKIPPED: "it was skipped"}


class Kept(Struct, frozen=True):
    """`tasks` are the new run's, in the flow's order: kept ones SUCCEEDED. `again` says why each of the others runs."""

    tasks: tuple[TaskRun, ...]
    again: Mapping[str, str]


def keep(run: Run, planned: Sequence[TaskRun], before: Run, recorded: Mapping[str, TaskRun]) -> Kept:
    """`planned` are the tasks of `run` as they were traced, parents first; `recorded` those of the run before it."""
    has_same_code = run.artifact.sha256 == before.artifact.sha256
    has_same_plan = has_same_code and dict(run.parameters) == dict(before.parameters)
    tasks, again = [], {}
    for task in planned:
        old = recorded.get(task.id)
        reason = _reason(task, old, has_same_code=has_same_code, has_same_plan=has_same_plan)
        reason = reason or next((f"{parent} does" for parent in task.depends_on if parent in again), None)
        if reason is None and old is not None:
            tasks.append(_taken_over(task, old))
        else:
            tasks.append(task)
            again[task.id] = reason or "it is new"
    return Kept(tuple(tasks), again)


def _reason(task: TaskRun, old: TaskRun | None, *, has_same_code: bool, has_same_plan: bool) -> str | None:
    """Why it cannot be kept, whatever the tasks before it do."""
    if old is None or old.task_name != task.task_name:
        return "it is new"
    if old.status is not Status.SUCCEEDED or old.result is None:
        return _NOT_FINISHED.get(old.status, "it had not finished")
    if not has_same_code and (not task.code or task.code != old.code):
        return "its code changed" if task.code and old.code else "its code cannot be compared"
    if not has_same_plan and (not task.arguments or task.arguments != old.arguments):
        return "its arguments changed" if task.arguments and old.arguments else "its arguments cannot be compared"
    return None if task.depends_on == old.depends_on else "it waits for other tasks than before"


def _taken_over(task: TaskRun, old: TaskRun) -> TaskRun:
    """Its times and measurements are those of the attempt whose result was accepted."""
    return replace(
        task,
        status=Status.SUCCEEDED,
        attempt=old.attempt,
        attempt_id=old.attempt_id,
        started_at=old.started_at,
        ended_at=old.ended_at,
        duration_s=old.duration_s,
        cpu_s=old.cpu_s,
        peak_mib=old.peak_mib,
        result=old.result,
    )
