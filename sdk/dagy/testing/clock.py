"""A clock that moves only when nothing works: waiting costs nothing, and the same test always tells the same times."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from dagy.core.errors import InvalidInput
from dagy.execution.timing import Timing, Wake

# Real seconds for those who work on when others have ended: they may be waiting for what those make possible.
_GRACE_S: Final = 1.0


class FakeClock:
    """Seconds since it was made, `now_s`. They pass when every task that runs is in `sleep` and nothing else is to be
    done: at once, up to the next moment at which something is due. While code runs, time stands still.

    Only a task that really takes longer than its `timeout_seconds` is timed out by the clock on the wall, so that a
    test of one that hangs does not hang itself. One run at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now_s = 0.0
        self._inbox: SimpleQueue[Any] | None = None
        self._nudges = 0  # of ours that are in it
        self._places: dict[str, int] = {}
        self._tries: dict[str, _Try] = {}
        self._sleeps: list[_Sleep] = []

    @property
    def now_s(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`, for this clock. Put it in the place of `time.sleep` where a task polls or paces itself:
        `monkeypatch.setattr("flows.etl.sleep", clock.sleep)`. Outside of tasks it only sets the clock forward.
        """
        if not 0 <= seconds < float("inf"):
            raise InvalidInput(f"A clock can sleep for 0 seconds or more, got {seconds!r}")
        of_try = _TRY.get()
        with self._lock:
            if of_try is None:
                self._now_s += seconds
                return
            if of_try.is_given_up:
                raise GivenUp
            nap = _Sleep(of_try, self._now_s + seconds)
            self._sleeps.append(nap)
            self._nudge()
        nap.is_over.wait()
        if of_try.is_given_up:
            raise GivenUp

    # --- what the run tells it ------------------------------------------------------------------------------

    def began(self, task_run_id: str, *, timeout_s: float | None) -> None:
        """An attempt begins, in the context of this call."""
        with self._lock:
            of_try = _Try(None if timeout_s is None else self._now_s + timeout_s)
            self._tries[task_run_id] = of_try
            if timeout_s is not None:
                self._nudge()
        _TRY.set(of_try)

    def ended(self, task_run_id: str) -> None:
        """It has an end. When another thread says so, the attempt was given up: its thread shall end, too."""
        with self._lock:
            of_try = self._tries.pop(task_run_id, None)
            if of_try is not None and _TRY.get() is not of_try:
                self._give_up(of_try)

    def close(self) -> None:
        """The run is over: whoever still sleeps is let go."""
        with self._lock:
            for of_try in [*self._tries.values(), *(nap.of_try for nap in self._sleeps)]:
                self._give_up(of_try)
            self._tries.clear()
            self._inbox = None

    def timing(self, task_run_ids: Sequence[str], *, chance: float) -> Timing:
        """For a run of these, whose order decides between what ends at the same moment."""
        self._places = {id: place for place, id in enumerate(task_run_ids)}
        return Timing(monotonic=lambda: self._now_s, wait=self._wait, chance=lambda: chance)

    # --- moving ---------------------------------------------------------------------------------------------

    def _wait(self, inbox: SimpleQueue[Any], timeout_s: float | None, running_count: int) -> Any | None:
        """Everybody who works at this moment comes to an end or to a sleep before the runner hears of any: in the
        flow's order, whichever thread was faster.
        """
        arrived: list[Any] = []
        while True:
            with self._lock:
                self._begin_wait(inbox)
                is_quiet = inbox.empty() and len(arrived) + self._asleep_count() >= running_count
                if is_quiet and arrived:
                    return self._hand_over(arrived, inbox)
                if is_quiet and self._is_runners_turn(timeout_s):
                    return None
                patience_s = _GRACE_S if arrived else self._patience_s()
            try:
                message = inbox.get(timeout=patience_s)
            except Empty:
                if arrived:
                    return self._hand_over(arrived, inbox)
                with self._lock:
                    self._now_s += patience_s or 0.0
                return None
            if message is not Wake:
                arrived.append(message)
            elif not self._took_nudge():
                return self._hand_over([*arrived, message], inbox)  # somebody else wants the runner's attention

    def _begin_wait(self, inbox: SimpleQueue[Any]) -> None:
        self._inbox = inbox
        if inbox.empty():
            self._nudges = 0
        for of_try in self._tries.values():
            if of_try.deadline_s is not None and of_try.deadline_s <= self._now_s:
                self._give_up(of_try)  # as the runner has just done

    def _is_runners_turn(self, timeout_s: float | None) -> bool:
        """Nobody works: move on to the next moment. False when it is that of sleepers, who are awake now."""
        due_s = None if timeout_s is None else self._now_s + timeout_s
        wakes_at_s = min((nap.wakes_at_s for nap in self._sleeps), default=None)
        if due_s is not None and (wakes_at_s is None or due_s <= wakes_at_s):
            self._now_s = due_s
            return True
        if wakes_at_s is not None:
            self._now_s = wakes_at_s
            self._end_sleeps(lambda nap: nap.wakes_at_s <= wakes_at_s)
        return False

    def _hand_over(self, messages: list[Any], inbox: SimpleQueue[Any]) -> Any:
        first, *others = sorted(messages, key=self._place_of)
        for message in others:
            inbox.put(message)  # where the runner looks before it waits again
        return first

    def _place_of(self, message: Any) -> int:
        attempt = getattr(message, "attempt", None)
        return -1 if attempt is None else self._places[attempt.call.id]

    def _took_nudge(self) -> bool:
        with self._lock:
            self._nudges -= 1
            return self._nudges >= 0

    def _asleep_count(self) -> int:
        """Of attempts; one may sleep in several threads of its own."""
        return len({id(nap.of_try) for nap in self._sleeps})

    def _patience_s(self) -> float | None:
        """How long to wait, in real seconds, for those who work: not longer than the first may."""
        asleep = {id(nap.of_try) for nap in self._sleeps}
        left_s = [
            of_try.deadline_s - self._now_s
            for of_try in self._tries.values()
            if of_try.deadline_s is not None and not of_try.is_given_up and id(of_try) not in asleep
        ]
        return max(0.0, min(left_s)) if left_s else None

    def _give_up(self, of_try: _Try) -> None:
        of_try.is_given_up = True
        self._end_sleeps(lambda nap: nap.of_try is of_try)

    def _end_sleeps(self, is_over: Callable[[_Sleep], bool]) -> None:
        for nap in [nap for nap in self._sleeps if is_over(nap)]:
            self._sleeps.remove(nap)
            nap.is_over.set()

    def _nudge(self) -> None:
        """The runner may be waiting for something that has just become something else."""
        if self._inbox is not None:
            self._nudges += 1
            self._inbox.put(Wake)


class GivenUp(BaseException):
    """Ends the thread of an attempt that ran out of time, or whose run is over. Nobody hears of it."""


@dataclass(eq=False, slots=True)
class _Try:
    deadline_s: float | None
    is_given_up: bool = False


@dataclass(eq=False, slots=True)
class _Sleep:
    of_try: _Try
    wakes_at_s: float
    is_over: threading.Event = field(default_factory=threading.Event)


_TRY: Final[ContextVar[_Try | None]] = ContextVar("dagy_testing_try", default=None)
