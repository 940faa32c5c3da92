"""Sending on what a finished task has made ready. Everything here may be repeated: a task is claimed only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from dagy.core.sizes import Executor
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.isolated.executors import start_task
from dagy_runtime.engine.isolated.task_limits import release_permit
from dagy_runtime.messages import AdvanceRun, ReleaseTasks, RunTask
from dagy_runtime.plan import FEW, Exit, Place, Placed, Plan, Stop
from dagy_runtime.ports import Ports
from dagy_runtime.values import Event, Run, TaskRun

AT_ONCE: Final = 50
"""What one invocation sends itself. More goes through others: ten thousand tasks are on their way in seconds."""


def follow_up(ports: Ports, run: Run, place: Place, task: TaskRun) -> list[str]:
    """Do what follows from the end of `task`, which is final. Repeat it until it has returned once.

    Returns the tasks that it has released. Raises: Unavailable.
    """
    release_permit(ports, run, place.task)
    if task.status is Status.SUCCEEDED:
        ready = _ready(ports, run, place)
        send(ports, run, ready)
        arrive_at_end(ports, run, [place])
        if not ready and not run.fail_fast and _leads_to_skipped(ports, run, place):
            look_again(ports, run)
        return [exit.id for exit in ready]
    if task.status is Status.FAILED:
        if run.fail_fast:
            look_again(ports, run)
        elif place.exits:
            plan = ports.runs.plan(run.id)
            skip(ports, run, plan, plan.descendants(task.id), because=task.id)
            _arrive_at_joins(ports, run, [place])
        else:
            arrive_at_end(ports, run, [place])
    elif task.status is Status.SKIPPED:  # whoever sent it on has brought the last end that it waited for
        look_again(ports, run)
    return []


def begin(ports: Ports, run: Run, tasks: Mapping[str, TaskRun]) -> None:
    """Send the first tasks of a run that is planned. `tasks` are those with a past: what was taken over from another
    run arrives at its joins first. A repeat sends the same messages again.
    """
    plan = ports.runs.plan(run.id)
    done = {id for id, task in tasks.items() if task.status is Status.SUCCEEDED}
    kept = [plan.place(id) for id in plan.tasks if id in done]
    for exit in (exit for place in kept for exit in place.exits if not exit.others):
        _is_full(ports, run, exit.way())
    arrive_at_end(ports, run, kept)
    send(ports, run, [task for task in plan.tasks.values() if task.id not in done and done.issuperset(task.depends_on)])


def skip(ports: Ports, run: Run, plan: Plan, ids: Sequence[str], *, because: str) -> None:
    """Settle those of `ids` that are open as SKIPPED, and have all of them arrive where they lead to. Written first, so
    that whoever brings the last arrival finds every task ended.
    """
    now = to_iso(ports.clock.now())
    reason = f"'{because}' failed"
    skipped = ports.runs.settle_tasks(run.id, ids, status=Status.SKIPPED, reason=reason, ended_at=now)
    ports.runs.append_events(
        [Event(run.id, ports.ids.unique(), now, "task_skipped", id, data={"reason": reason}) for id in skipped]
    )
    places = [plan.place(id) for id in ids]
    arrive_at_end(ports, run, places)
    _arrive_at_joins(ports, run, places)


def arrive_at_end(ports: Ports, run: Run, places: Iterable[Place]) -> None:
    """Tell the run's end of tasks that have ended; whoever brings the last one has the run looked at."""
    arrivals = [_is_full(ports, run, place.way_to_end()) for place in places if place.end is not None]
    if any(arrivals):
        look_again(ports, run)


def _arrive_at_joins(ports: Ports, run: Run, places: Iterable[Place]) -> None:
    """Tell those who count their parents of some that have ended without a result, and so have skipped them already.
    The last of the others, which may run still, then finds the join full, and not that it is never to be.
    """
    joins = [exit for place in places for exit in place.exits if exit.members > FEW]
    arrivals = [_is_full(ports, run, exit.way()) for exit in joins]
    if any(arrivals):
        look_again(ports, run)


def _leads_to_skipped(ports: Ports, run: Run, place: Place) -> bool:
    """Whether nothing that waits for this task, which has released nothing, will ever run: then nobody after it tells
    the run's end. Those who skip write first and look then, so either they see this task's end, or it sees them.
    """
    if not place.exits or any(exit.members > FEW for exit in place.exits):
        return False
    tasks = (ports.runs.get_task(run.id, exit.id) for exit in place.exits)
    return all(task is not None and task.status is Status.SKIPPED for task in tasks)


def look_again(ports: Ports, run: Run) -> None:
    """Have somebody look at the run as a whole."""
    ports.dispatcher.to_runtime(run.size, AdvanceRun(run.id, hop=run.hops))


class Released(Struct, frozen=True):
    count: int  # of tasks


def release_tasks(ports: Ports, message: ReleaseTasks) -> Released:
    """Send these tasks on their way, unless their run has ended. A repeat does it again."""
    run = ports.runs.get_run(message.run_id)
    if run is None or run.status.is_final:
        return Released(0)
    _send_all(ports, run, message.tasks, message.executor)
    return Released(len(message.tasks))


def send(ports: Ports, run: Run, tasks: Iterable[Placed]) -> None:
    """Tell those who carry them out that these tasks are ready."""
    by_executor: dict[Executor, list[tuple[str, int]]] = {}
    for task in tasks:
        by_executor.setdefault(task.executor, []).append((task.id, task.position))
    for executor, some in by_executor.items():
        _send_all(ports, run, some, executor)


def _send_all(ports: Ports, run: Run, tasks: Sequence[tuple[str, int]], executor: Executor) -> None:
    for message in messages_for(run.id, tasks, executor):
        if isinstance(message, RunTask):
            start_task(ports, run, message, executor)
        else:
            ports.dispatcher.to_runtime(run.size, message)


def messages_for(
    run_id: str, tasks: Sequence[tuple[str, int]], executor: Executor = Executor.LAMBDA
) -> list[RunTask | ReleaseTasks]:
    """At most 50, whatever the number of tasks: above it each message is for a part of them, to be sent on again."""
    if len(tasks) <= AT_ONCE:
        return [RunTask(run_id, id, position) for id, position in tasks]
    part = max(AT_ONCE, -(-len(tasks) // AT_ONCE))
    return [ReleaseTasks(run_id, tuple(tasks[start : start + part]), executor) for start in range(0, len(tasks), part)]


def _ready(ports: Ports, run: Run, place: Place) -> list[Exit]:
    """Those that wait for nothing any more, now that this task's result is stored. `place`'s task is the last of their
    parents, or one of several that ended at the same moment.
    """
    others = dict.fromkeys(id for exit in place.exits for id in exit.others)
    done = ports.runs.get_results(run.id, list(others)) if others else {}
    return [
        exit
        for exit in place.exits
        if (all(id in done for id in exit.others) if exit.others else _is_full(ports, run, exit.way()))
    ]


def _is_full(ports: Ports, run: Run, way: Iterable[Stop]) -> bool:
    """Arrive along the way, as far as it is open. True at its end: nothing is awaited any more."""
    return all(ports.runs.arrive(run.id, stop.node, stop.member) == stop.size for stop in way)
