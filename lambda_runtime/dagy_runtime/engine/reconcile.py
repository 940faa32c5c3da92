"""Finding what was lost: open runs that nobody advances are sent on their way again.

It looks once a period while runs are open, and not at all otherwise: it is armed by submissions, and by itself as long
as it finds an open run, or cannot look.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dagy.core.errors import NotFound
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch, to_iso
from dagy_runtime.engine.rescue_timer import PERIOD_S, arm_reconciler
from dagy_runtime.engine.run_ends import tell_end
from dagy_runtime.engine.run_limits import leave, tend
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Ports, RunFilter
from dagy_runtime.values import Lease, Problem, Run

RESCUES_PER_PERIOD: Final = 200
"""After an outage every open run is lost at once; a cap keeps their return from becoming the next outage."""

TASKS_PER_PERIOD: Final = 1000
"""Of one run."""

_OPEN: Final = RunFilter(statuses=(Status.PENDING, Status.RUNNING))
_PAGE: Final = 100
_LOG: Final = logging.getLogger("dagy.engine.reconcile")


class Reconciled(Struct, frozen=True):
    open_runs: int
    rescued: tuple[str, ...]  # run ids
    left: int  # lost ones beyond the cap, for the next period


def reconcile(ports: Ports, *, cap: int = RESCUES_PER_PERIOD) -> Reconciled:
    """Look once. A repeat sends the same messages again, which is harmless: a run can be claimed only once.

    The next look is armed first, so that a crash in the middle loses nothing, and also when this one fails: AWS tries a
    message three times, an outage may last longer.
    """
    try:
        return _look(ports, cap=cap)
    except BaseException:
        arm_reconciler(ports)
        raise


def _look(ports: Ports, *, cap: int) -> Reconciled:
    now = ports.clock.now()
    lost: list[Run] = []
    waiting: defaultdict[str, list[Run]] = defaultdict(list)
    open_runs = 0
    for run in _open_runs(ports):
        if open_runs == 0:
            arm_reconciler(ports)
        open_runs += 1
        if not is_due(run, period=int(now) // PERIOD_S):
            continue
        lease = ports.runs.get_lease(run.id) if run.status is Status.RUNNING else None
        if is_lost(run, lease, now=now):
            is_limited = run.status is Status.PENDING and run.max_concurrent_runs is not None
            (waiting[run.deployment or ""] if is_limited else lost).append(run)
    for deployment, runs in waiting.items():
        lost += tend(ports, deployment, runs)
    taken = chosen(lost, cap=cap, period=int(now) // PERIOD_S)
    rescued = tuple(run.id for run in taken if _sent_on(ports, run))
    if lost:
        _LOG.warning("runs_rescued count=%d left=%d", len(rescued), len(lost) - len(taken))
    return Reconciled(open_runs, rescued, len(lost) - len(taken))


def _sent_on(ports: Ports, run: Run) -> bool:
    """False for a run whose size the stage has no more: nobody can ever advance it, so it ends here."""
    try:
        ports.dispatcher.to_runtime(run.size, AdvanceRun(run.id, hop=run.hops))
    except NotFound:
        message = (
            f"The stage has no functions of size '{run.size}' any more. Deploy it with another size and run it again."
        )
        ended_at = to_iso(ports.clock.now())
        problem = Problem("SizeGone", message)
        ended = ports.runs.finish_run(run.id, owner=None, status=Status.FAILED, ended_at=ended_at, problem=problem)
        if ended is not None:
            tell_end(ports, ended, reason=message)
            leave(ports, run)
        return False
    return True


def is_due(run: Run, *, period: int) -> bool:
    """Whether this period is one in which to look at the run. To look at one whose tasks are isolated is to read them
    all; a run of thousands is looked at every few periods, so that looking costs no more an hour than at a thousand.
    """
    every = -(-run.task_count // TASKS_PER_PERIOD) or 1
    return (period + zlib.crc32(run.id.encode())) % every == 0


def is_lost(run: Run, lease: Lease | None, *, now: float) -> bool:
    """Whether nobody can be expected to come: PENDING for a whole period, or RUNNING with no live lease."""
    if run.status is Status.PENDING:
        return now - to_epoch(run.created_at) >= PERIOD_S
    return run.status is Status.RUNNING and (lease is None or lease.until <= now)


def chosen(lost: Sequence[Run], *, cap: int, period: int) -> list[Run]:
    """At most `cap` of them, in an order that chance (seeded by the period) decides, so that a run that cannot be
    rescued does not stand before the others for ever.
    """

    def ticket(run: Run) -> bytes:
        return hashlib.sha256(f"{period}|{run.id}".encode()).digest()

    return sorted(lost, key=ticket)[:cap]


def _open_runs(ports: Ports) -> Iterator[Run]:
    cursor: str | None = None
    while True:
        page = ports.runs.list_runs(limit=_PAGE, cursor=cursor, where=_OPEN)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
