"""Watching over a child process until it is gone: hearing it, keeping the lease, minding cancel and the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, Union

from msgspec import Struct

from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.pacing import Pacing, drain_margin_s, kill_margin_s
from dagy_runtime.engine.tenure import Tenure
from dagy_runtime.engine.workshop import Child
from dagy_runtime.worker.frames import Cancel, Drain, Ended, ToChild
from dagy_runtime.worker.process import Exit, Heard

CANCEL_REASON: Final = "The run was cancelled"


class Said(Struct, frozen=True):
    """The flow came to an end of its own."""

    ended: Ended


class CancelSeen(Struct, frozen=True):
    """Somebody asked for the end."""


class TimeRanOut(Struct, frozen=True):
    """It was killed, because the function's own time was about to end."""


class Died(Struct, frozen=True):
    exit: Exit


class BrokeOff(Struct, frozen=True):
    reason: str


class Record(Protocol):
    """What keeps what a child says: the journal of a run, or of one task."""

    tenure: Tenure
    logs: LogWriter
    events: EventLog
    ended: Ended | None
    broken: str | None

    def take(self, heard: Heard) -> ToChild | None: ...


Verdict = Union[Said, CancelSeen, TimeRanOut, Died, BrokeOff]


def watch(
    child: Child,
    journal: Record,
    *,
    time_left: Callable[[], float],
    total_s: float,
    pacing: Pacing,
    monotonic: Callable[[], float],
) -> Verdict:
    """Why it is over. The child is dead when this returns; when this raises, the caller kills it.

    Raises: LeaseLost; whatever the store raises when it is asked to keep a task or the lease. That a log or events
    cannot be written now is no reason to end.
    """
    drain_s, kill_s = drain_margin_s(total_s), kill_margin_s(total_s)
    verdict: Verdict | None = None
    kill_at: float | None = None
    is_draining = False
    flush_at = monotonic() + pacing.flush_s
    exit: Exit | None = None
    while exit is None:
        for heard in child.hear(pacing.check_s):
            reply = journal.take(heard)
            if reply is not None:
                child.say(reply)
            journal.tenure.keep()  # what was heard at once may take long to write down
        exit = child.exit
        journal.tenure.keep()
        now = monotonic()
        if now >= flush_at:
            journal.logs.try_flush()
            journal.events.try_flush()
            flush_at = monotonic() + pacing.flush_s
        if verdict is None:
            verdict, grace_s = _look(journal, left_s=time_left(), kill_s=kill_s, pacing=pacing)
            kill_at = now + grace_s if verdict is not None else None
            if isinstance(verdict, CancelSeen):
                child.say(Cancel(CANCEL_REASON))
        if kill_at is not None and now >= kill_at:
            child.kill()
        elif verdict is None and not is_draining and time_left() <= drain_s:
            is_draining = True
            child.say(Drain())
    if isinstance(verdict, CancelSeen):
        return verdict
    if journal.broken is not None:
        return BrokeOff(journal.broken)
    if journal.ended is not None:
        return Said(journal.ended)  # perhaps its very last words, heard after it was killed
    return verdict or Died(exit)


def _look(journal: Record, *, left_s: float, kill_s: float, pacing: Pacing) -> tuple[Verdict | None, float]:
    """What this moment decides, and how long the child may take to end by itself."""
    if journal.broken is not None:
        return BrokeOff(journal.broken), 0.0
    if journal.ended is not None:
        return Said(journal.ended), pacing.exit_grace_s
    if journal.tenure.is_cancel_requested:
        return CancelSeen(), pacing.cancel_grace_s
    if left_s <= kill_s:
        return TimeRanOut(), 0.0
    return None, 0.0
