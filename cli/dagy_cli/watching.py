"""Following a run of a stage to its end: what its tasks do and what it writes, as it happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.core.errors import WaitTimedOut
from dagy.core.states import FINAL

FIRST_PAUSE_S: Final = 0.3
LONGEST_PAUSE_S: Final = 2.0
LINES_PER_PAGE: Final = 10_000  # as many as the API gives at once
MOST_LINES_AT_END: Final = 2_000
LAST_LINES: Final = 200
LONGEST_READ_AT_END_S: Final = 3.0
FINAL_NAMES: Final = frozenset(status.value for status in FINAL)


@dataclass(frozen=True, slots=True)
class Planned:
    """So many tasks the run has, as far as is known yet."""

    task_count: int


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task is in another state than it was when last asked about, or in another attempt."""

    task: m.TaskRunResponse


@dataclass(frozen=True, slots=True)
class Wrote:
    line: m.LogLine


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Lines that were written but are not shown here, because the run has ended and there are too many of them. The
    lines after this are the last ones; or, when not even counting them was possible in time (`is_all` False), some.
    """

    count: int
    is_all: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The last of what there is to see."""

    run: m.RunResponse


Seen = Planned | TaskChanged | Wrote | LeftOut | Ended


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, `timeout_s` None meaning for ever, and how. Pauses grow while nothing happens."""

    timeout_s: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def watch(client: DagyClient, run_id: str, patience: Patience, *, with_tasks: bool = True) -> Iterator[Seen]:
    """What happens in the run until it has ended. Of what was not read by then, at most `MOST_LINES_AT_END` lines are
    given, else the last few: nobody waits for the end of a run to see a hundred thousand lines go by.

    Raises: WaitTimedOut when it has not ended in time; it goes on then.
    """
    started_at, pause_s = patience.clock(), FIRST_PAUSE_S
    known: dict[str, tuple[str, int]] = {}
    cursor: str | None = None
    while True:
        run = client.get_run(run_id)  # before the rest: what is read after the end is all there is
        seen: list[Seen] = []
        if with_tasks:
            seen += _changed(client, run_id, known)
        if run.status in FINAL_NAMES:
            yield from seen
            if with_tasks:
                yield from _last_written(client, run_id, cursor, patience)
            yield Ended(run)
            return
        if with_tasks:
            page = client.get_logs(run_id, after=cursor, limit=LINES_PER_PAGE)
            seen += [Wrote(line) for line in page.items]
            cursor = page.next_cursor
        yield from seen
        waited_s = patience.clock() - started_at
        if patience.timeout_s is not None and waited_s >= patience.timeout_s:
            raise WaitTimedOut(f"The end of run {run_id}", patience.timeout_s)
        pause_s = FIRST_PAUSE_S if seen else min(pause_s * 1.5, LONGEST_PAUSE_S)
        left_s = pause_s if patience.timeout_s is None else max(0.0, patience.timeout_s - waited_s)
        patience.sleep(min(pause_s, left_s))


def follow_log(
    client: DagyClient, run_id: str, task_run_id: str | None, *, is_followed: bool, patience: Patience
) -> Iterator[m.LogLine]:
    """The run's lines: those there are, and with `is_followed` those to come, until the run has ended."""
    cursor: str | None = None
    pause_s = FIRST_PAUSE_S
    while True:
        page = client.get_logs(run_id, after=cursor, task_run_id=task_run_id, limit=LINES_PER_PAGE)
        yield from page.items
        is_at_end = not page.items and page.next_cursor == cursor
        cursor = page.next_cursor
        if page.is_complete or (is_at_end and not is_followed):
            return
        if is_at_end:
            patience.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        else:
            pause_s = FIRST_PAUSE_S


def _changed(client: DagyClient, run_id: str, known: dict[str, tuple[str, int]]) -> list[Seen]:
    """Tasks that are not as they were; `known` is brought up to date. Tasks that still wait are not news, but how many
    there are is.
    """
    changed: list[Seen] = []
    count_before = len(known)
    for task in client.iter_task_runs(run_id):
        state = (task.status, task.attempt)
        if known.get(task.task_run_id, ("PENDING", 0)) != state:
            changed.append(TaskChanged(task))
        known[task.task_run_id] = state
    return changed if len(known) == count_before else [Planned(len(known)), *changed]


def _last_written(client: DagyClient, run_id: str, cursor: str | None, patience: Patience) -> Iterator[Seen]:
    """What a run that has ended wrote after the cursor, or that it is too much and the last of it."""
    started_at = patience.clock()
    lines: deque[m.LogLine] = deque(maxlen=MOST_LINES_AT_END)
    count, is_all = 0, False
    while not is_all and patience.clock() - started_at < LONGEST_READ_AT_END_S:
        page = client.get_logs(run_id, after=cursor, limit=LINES_PER_PAGE)
        lines.extend(page.items)
        count, cursor, is_all = count + len(page.items), page.next_cursor, page.is_complete
    shown = list(lines)
    if count > MOST_LINES_AT_END or not is_all:
        shown = shown[-LAST_LINES:]
        yield LeftOut(count - len(shown), is_all)
    yield from map(Wrote, shown)
