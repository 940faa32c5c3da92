"""How far a run is: counted as its tasks change, and told in a few lines of a terminal."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dagy.core.states import Status

MOST_SHOWN: Final = 6  # running tasks, below the line of counts
COLORS: Final = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.SKIPPED: "yellow",
    Status.RUNNING: "blue",
}
Paint = Callable[[str, "str | None"], str]


@dataclass(frozen=True, slots=True)
class Signs:
    """What is drawn with. A terminal that knows only ASCII gets less."""

    spinner: str
    between: str
    more: str

    @classmethod
    def of(cls, encoding: str | None) -> Signs:
        is_unicode = (encoding or "").lower().replace("-", "") == "utf8"
        return cls("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", " · ", "…") if is_unicode else cls("|/-\\", " - ", "...")


class Tally:
    """Thread-safe. Each change costs a microsecond, however many tasks there are."""

    def __init__(self, title: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self.task_count = 0
        self._clock = clock
        self._began_s = clock()
        self._lock = threading.Lock()
        self._kept_count = 0
        self._statuses: dict[str, Status] = {}
        self._counts: Counter[Status] = Counter()
        self._running: dict[str, tuple[float, int]] = {}  # since when, and in which attempt

    def began(self, *, task_count: int, kept_count: int = 0) -> None:
        with self._lock:
            self.task_count, self._kept_count = task_count, kept_count

    def changed(self, task_run_id: str, status: Status, *, attempt: int) -> None:
        now_s = self._clock()
        with self._lock:
            before = self._statuses.get(task_run_id)
            if before is not None:
                self._counts[before] -= 1
            self._statuses[task_run_id] = status
            self._counts[status] += 1
            if status is Status.RUNNING:
                self._running[task_run_id] = (now_s, attempt)
            else:
                self._running.pop(task_run_id, None)

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._began_s

    def counts(self, paint: Paint, signs: Signs) -> str:
        """`12 of 40 done · 2 running · 25 waiting · 1 failed`."""
        with self._lock:
            counts = Counter(self._counts)
        done = counts[Status.SUCCEEDED] + self._kept_count
        waiting = max(0, self.task_count - self._kept_count - sum(counts.values())) + counts[Status.PENDING]
        told = [paint(f"{done:,} of {self.task_count:,} done", COLORS[Status.SUCCEEDED])]
        for status in (Status.RUNNING, Status.FAILED, Status.SKIPPED, Status.CANCELLED):
            if counts[status]:
                told.append(paint(f"{counts[status]:,} {status.value.lower()}", COLORS[status]))
        return signs.between.join([*told, *([f"{waiting:,} waiting"] if waiting else [])])

    def lines(self, *, width: int, height: int, paint: Paint, signs: Signs) -> list[str]:
        """The counts, and below them the tasks that have been running longest. No more than `height`, none wider than
        `width`, as far as text can be cut that has colours in it.
        """
        spin = signs.spinner[int(self.elapsed_s * 10) % len(signs.spinner)]
        first = f"{spin} {self.title}  {self.counts(paint, signs)}  {duration_text(self.elapsed_s)}"
        with self._lock:
            running = list(self._running.items())
        room = max(0, min(MOST_SHOWN, height - 1))
        shown = running if len(running) <= room else running[: max(0, room - 1)]
        lines = [self._running_line(id, since_s, attempt, width) for id, (since_s, attempt) in shown]
        if room and len(shown) < len(running):
            lines.append(f"  {signs.more} and {len(running) - len(shown):,} more")
        return [first, *(line[:width] for line in lines)]

    def _running_line(self, id: str, since_s: float, attempt: int, width: int) -> str:
        tail = f"  {duration_text(self._clock() - since_s)}" + (f"  attempt {attempt}" if attempt > 1 else "")
        room = max(8, width - len(tail) - 2)
        return f"  {id if len(id) <= room else id[: room - 1] + '~'}{tail}"


def duration_text(seconds: float) -> str:
    """`4s`, `1m 05s`, `2h 07m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"
