"""A look at a whole run whose tasks are isolated, by whoever holds its lease: to end it, or to find what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dagy_runtime.engine.isolated.deciding import look_at
from dagy_runtime.engine.isolated.release import look_again, send, skip
from dagy_runtime.engine.isolated.task_limits import within_limits
from dagy_runtime.ports import Ports
from dagy_runtime.values import Run, TaskRun

RESCUES: Final = 1000
"""Lost tasks sent on by one look; the next look has the rest."""


class Found(Struct, frozen=True):
    """`is_over`: the run is to be ended now. `rescued` tasks were sent on their way, `skipped` ones settled."""

    is_over: bool
    rescued: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def look_after(ports: Ports, run: Run, tasks: Mapping[str, TaskRun]) -> Found:
    """Of a run that is planned, whose tasks stand as in `tasks`. A repeat sends the same messages again."""
    plan = ports.runs.plan(run.id)
    outlook = look_at(run, plan, tasks, now=ports.clock.now())
    if outlook.is_over:
        return Found(True)
    rescued = within_limits(ports, outlook.lost, tasks)[:RESCUES]
    if outlook.spoiled:
        skip(ports, run, plan, outlook.spoiled, because="a task before it")
    send(ports, run, [plan.tasks[id] for id in rescued])
    return Found(False, rescued, outlook.spoiled)


def look_once_more(ports: Ports, run: Run, tasks: Mapping[str, TaskRun]) -> None:
    """After the lease was given back: whoever brought the last task's end while we held it was turned away."""
    if look_at(run, ports.runs.plan(run.id), tasks, now=ports.clock.now()).is_over:
        look_again(ports, run)
