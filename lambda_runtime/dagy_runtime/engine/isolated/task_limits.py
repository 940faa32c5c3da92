"""At most so many runs of one task at once, in one run of a flow: `concurrency_limit`.

A task acquires a permit before it is claimed and releases it with its outcome, also one that only puts it back. One
that finds none stands in the queue until a permit is free. Should a message be lost, or a permit stay with somebody who
has ended, the next look at the run mends it, as it mends everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from dagy_runtime.engine.isolated.executors import start_task
from dagy_runtime.messages import RunTask
from dagy_runtime.ports import Ports
from dagy_runtime.ports.semaphores import semaphore_of_task
from dagy_runtime.values import Run, TaskRun


def has_permit(ports: Ports, task: TaskRun) -> bool:
    """Whether it may run now, as far as its limit is concerned. If not, it is sent a message when there is room.

    It queues before it looks again: whoever releases one in between finds it in the queue, or has left it a permit.
    """
    if task.concurrency_limit is None:
        return True
    semaphore, entry = semaphore_of_task(task.run_id, task.task_name), _entry(task)
    if ports.runs.acquire_permit(semaphore, task.id, permits=task.concurrency_limit):
        return True
    ports.runs.enqueue(semaphore, entry)
    if not ports.runs.acquire_permit(semaphore, task.id, permits=task.concurrency_limit):
        return False
    ports.runs.dequeue(semaphore, entry)
    return True


def release_permit(ports: Ports, run: Run, task: TaskRun) -> None:
    """Give the permit back and send those on who wait for one. A repeat changes nothing, and sends nobody twice."""
    if task.concurrency_limit is None:
        return
    semaphore = semaphore_of_task(run.id, task.task_name)
    free = task.concurrency_limit - ports.runs.release_permit(semaphore, task.id)
    for entry in ports.runs.queue(semaphore, limit=free) if free > 0 else ():
        position, _, id = entry.partition("#")
        start_task(ports, run, RunTask(run.id, id, int(position)), task.executor)  # of the same name, so alike
        ports.runs.dequeue(semaphore, entry)


def within_limits(ports: Ports, lost: Sequence[str], tasks: Mapping[str, TaskRun]) -> tuple[str, ...]:
    """Those of the lost that have a permit, or for whom there is one; the others only wait for their turn. Permits of
    tasks that have ended are released.
    """
    free: defaultdict[str, int] = defaultdict(int)
    holders: dict[str, set[str]] = {}
    for id in lost:
        task = tasks[id]
        if task.concurrency_limit is None or task.task_name in holders:
            continue
        semaphore = semaphore_of_task(task.run_id, task.task_name)
        taken = ports.runs.permit_holders(semaphore)
        ended = {id for id in taken if id not in tasks or tasks[id].status.is_final}
        for id_ in ended:
            ports.runs.release_permit(semaphore, id_)
        holders[task.task_name] = set(taken - ended)
        free[task.task_name] = task.concurrency_limit - len(taken - ended)
    admitted = []
    for id in lost:
        name = tasks[id].task_name
        if name in holders and id not in holders[name]:
            if free[name] <= 0:
                continue
            free[name] -= 1
        admitted.append(id)
    return tuple(admitted)


def _entry(task: TaskRun) -> str:
    """In the flow's order."""
    return f"{task.position:09d}#{task.id}"
