"""What is to be done about a task, and about a run, from how its tasks stand. Pure: every shell here asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Union

from msgspec import Struct

from dagy.core.sizes import Executor
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.resume import Past, deaths_of, past_of, used_attempts
from dagy_runtime.plan import Plan
from dagy_runtime.values import Run, TaskRun


class Start(Struct, frozen=True):
    """Begin attempt number `attempt`. `is_deadly`: it has killed its function too often, and is to fail instead."""

    attempt: int
    past: Past
    is_deadly: bool


class Early(Struct, frozen=True):
    """It waits until `not_before`, seconds since the epoch."""

    not_before: float


class Busy(Struct, frozen=True):
    """Another invocation runs it, and its lease is good."""


class Over(Struct, frozen=True):
    """It has ended; what follows from that may still be to be done."""


Step = Union[Start, Early, Busy, Over]


def next_step(task: TaskRun, *, now: float, pacing: Pacing) -> Step:
    """What a message that the task is ready means, as the task stands."""
    if task.status.is_final:
        return Over()
    if task.status is Status.PENDING and task.not_before is not None and task.not_before > now:
        return Early(task.not_before)
    if task.status is Status.RUNNING and (task.lease_until is None or task.lease_until > now):
        return Busy()
    past = past_of(task, flow_attempt=task.flow_attempt)
    return Start(used_attempts(task) + 1, past, is_deadly=deaths_of(task) > pacing.max_deaths)


class Outlook(Struct, frozen=True):
    """What a look at a whole run found.

    `is_over`: nothing of it will run any more. `spoiled` wait for something that failed, and will never run. `lost`
    could run, and nobody seems to come for them.
    """

    is_over: bool
    spoiled: tuple[str, ...]
    lost: tuple[str, ...]


def look_at(run: Run, plan: Plan, tasks: Mapping[str, TaskRun], *, now: float) -> Outlook:
    """`tasks` are the run's, as they stand, by id."""
    has_failed = any(task.status is Status.FAILED for task in tasks.values())
    if (has_failed and run.fail_fast) or all(task.status.is_final for task in tasks.values()):
        return Outlook(True, (), ())
    spoiled: set[str] = set()
    for id in plan.tasks:
        if any(parent in spoiled or tasks[parent].status in _SPOILING for parent in plan.tasks[id].depends_on):
            spoiled.add(id)
    open_spoiled = tuple(id for id in plan.tasks if id in spoiled and not tasks[id].status.is_final)
    lost = tuple(id for id, task in tasks.items() if id not in spoiled and _is_lost(task, run, tasks, now=now))
    return Outlook(False, open_spoiled, lost)


OVERDUE_S: Final = 15.0
"""A message that has not come by then is taken for lost: a function is invoked within milliseconds, unless all are
busy. A second message for a task that only waits its turn costs a few reads.
"""
CONTAINER_OVERDUE_S: Final = 300.0
"""A container starts within one or two minutes, and one that was lost is replaced by its execution. A second one costs
a start, and finds the task taken.
"""
_SPOILING: Final = (Status.FAILED, Status.SKIPPED, Status.CANCELLED)


def _is_lost(task: TaskRun, run: Run, tasks: Mapping[str, TaskRun], *, now: float) -> bool:
    """Whether a message must have come by now, and has not."""
    if task.status is Status.RUNNING:
        grace_s = CONTAINER_OVERDUE_S if task.executor is Executor.ECS else 0.0
        return task.lease_until is not None and task.lease_until + grace_s <= now
    if task.status is not Status.PENDING:
        return False
    overdue_s = CONTAINER_OVERDUE_S if task.executor is Executor.ECS else OVERDUE_S
    if task.not_before is not None:
        return task.not_before + overdue_s <= now
    parents = [tasks[id] for id in task.depends_on]
    if any(parent.status is not Status.SUCCEEDED for parent in parents):
        return False
    return _latest(run.started_at, parents) + overdue_s <= now


def _latest(started_at: str | None, parents: Iterable[TaskRun]) -> float:
    ended = [parent.ended_at for parent in parents if parent.ended_at is not None]
    return max(map(to_epoch, [*ended, *([started_at] if started_at else [])]), default=0.0)
