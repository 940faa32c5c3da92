"""At most so many runs of a deployment at once, the others in the order in which they were asked for.

A run has its permit before its first message is sent, and until it has ended. A run without a limit needs none. Whoever
ends a run lets the next one in; should that be lost, the reconciler does it within a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from dagy.core.errors import NotFound
from dagy.core.states import Status
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Ports
from dagy_runtime.ports.semaphores import semaphore_of_deployment
from dagy_runtime.values import Run

_LOG: Final = logging.getLogger("dagy.engine.limits")
_QUEUE: Final = 10_000
"""Entries of a queue that are looked at. Those beyond wait until it is shorter."""
_AT_ONCE: Final = 25


def admit(ports: Ports, run: Run) -> None:
    """Start a run that is PENDING, or have it wait for its turn. A repeat sends its message again, which is harmless.

    Raises: NotFound when it has no limit and the stage has no function of its size.
    """
    if run.max_concurrent_runs is None or run.deployment is None:
        _send(ports, run)
        return
    ports.runs.enqueue(semaphore_of_deployment(run.deployment), _entry(run))
    _admit_next(ports, run.deployment)


def leave(ports: Ports, run: Run) -> None:
    """Of a run that has ended: the next may begin. A repeat changes nothing."""
    if run.max_concurrent_runs is None or run.deployment is None:
        return
    semaphore = semaphore_of_deployment(run.deployment)
    ports.runs.dequeue(semaphore, _entry(run))
    ports.runs.release_permit(semaphore, run.id)
    _admit_next(ports, run.deployment)


def tend(ports: Ports, deployment: str, waiting: Sequence[Run]) -> list[Run]:
    """The reconciler's look at the runs of a deployment that wait for long: release permits of runs that have ended,
    put those into the queue that never got there, let in whom there is room for. Returns those who have a permit, and
    whose message was lost.
    """
    semaphore = semaphore_of_deployment(deployment)
    holders = ports.runs.permit_holders(semaphore)
    for id in holders:
        run = ports.runs.get_run(id)
        if run is None or run.status.is_final:
            ports.runs.release_permit(semaphore, id)
    queued = set(ports.runs.queue(semaphore, limit=_QUEUE))
    for run in waiting:
        if run.id not in holders and _entry(run) not in queued:
            ports.runs.enqueue(semaphore, _entry(run))
    _admit_next(ports, deployment)
    return [run for run in waiting if run.id in holders]


def _admit_next(ports: Ports, deployment: str) -> None:
    """Let in whoever stands first, as long as there are permits."""
    semaphore = semaphore_of_deployment(deployment)
    while entries := ports.runs.queue(semaphore, limit=_AT_ONCE):
        for entry in entries:
            run = ports.runs.get_run(entry.partition("#")[2])
            if run is not None and run.status is Status.PENDING:
                if not ports.runs.acquire_permit(semaphore, run.id, permits=run.max_concurrent_runs or 1):
                    return
                _try_to_send(ports, run)
            ports.runs.dequeue(semaphore, entry)


def _try_to_send(ports: Ports, run: Run) -> None:
    """A runtime function reaches no other size than its own, and one that only buries the dead reaches none. The run
    has its permit, and the reconciler finds it.
    """
    try:
        _send(ports, run)
    except NotFound:
        _LOG.info("run_left_to_reconciler run_id=%s size=%s", run.id, run.size)


def _send(ports: Ports, run: Run) -> None:
    ports.dispatcher.to_runtime(run.size, AdvanceRun(run.id, hop=run.hops))


def _entry(run: Run) -> str:
    """Sorts by the time at which the run was asked for."""
    return f"{run.created_at}#{run.id}"
