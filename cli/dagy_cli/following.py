"""What people see of a run while it goes on: a live view on a terminal, plain lines elsewhere, with --quiet nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import click

from dagy.core.states import Status
from dagy_cli.output import Output
from dagy_cli.screen import Screen, can_be_drawn_on, sharing_the_terminal
from dagy_cli.tally import COLORS, Paint, Signs, Tally, duration_text

MANY: Final = 100  # tasks: of more, not every change is a line
SUMMARY_EVERY_S: Final = 5.0


class Follower:
    """Takes in what happens, as `dagy.local.watcher.RunWatcher` and for remote runs, and writes lines of it to
    `stream`. With a `screen`, only what went wrong is a line: the rest is to be seen.
    """

    def __init__(self, tally: Tally, stream: TextIO | None, paint: Paint, signs: Signs, *, is_live: bool) -> None:
        self.tally = tally
        self._stream = stream
        self._paint = paint
        self._signs = signs
        self._is_live = is_live
        self._told_at_s = 0.0

    def run_began(self, run_id: str, *, task_count: int, kept_count: int) -> None:
        self.tally.began(task_count=task_count, kept_count=kept_count)

    def task_changed(
        self,
        task_run_id: str,
        status: Status,
        *,
        attempt: int,
        duration_s: float | None = None,
        message: str = "",
        at: str | None = None,
    ) -> None:
        self.tally.changed(task_run_id, status, attempt=attempt)
        if self._is_told(status, message):
            self._say(self._line(task_run_id, status, attempt, duration_s, message, at))
        elif not self._is_live and self.tally.elapsed_s - self._told_at_s >= SUMMARY_EVERY_S:
            self._told_at_s = self.tally.elapsed_s
            self._say(f"{_now()} {self.tally.counts(self._paint, self._signs)}")

    def ended(self) -> None:
        """The counts, for whoever was not told of every task."""
        if self.tally.task_count > (0 if self._is_live else MANY):
            self._say(f"{self.tally.counts(self._paint, self._signs)}  {duration_text(self.tally.elapsed_s)}")

    def _is_told(self, status: Status, message: str) -> bool:
        """Of many tasks, and beside a live view, what went wrong with one of them; not what followed for others."""
        if not self._is_live and self.tally.task_count <= MANY:
            return True
        return status is Status.FAILED or (status is Status.PENDING and message != "")

    def _line(
        self, id: str, status: Status, attempt: int, duration_s: float | None, message: str, at: str | None
    ) -> str:
        word = "RETRYING" if status is Status.PENDING else status.value
        parts = [f"{at or _now():<8} {self._paint(f'{word:<9}', COLORS.get(status))} {id}"]
        parts += [f"attempt {attempt}"] if attempt > 1 else []
        parts += [f"{duration_s:.2f}s"] if duration_s is not None else []
        parts += [message.partition("\n")[0]] if message else []
        return "  ".join(parts)

    def _say(self, line: str) -> None:
        """Not through `sys.stderr`: while tasks run, that is the log of the one whose thread this is."""
        if self._stream is None:
            return
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # whoever read it is gone; the run is not about that
            self._stream = None


@contextmanager
def following(out: Output, title: str) -> Iterator[Follower]:
    """The follower of one run, which lasts as long as the block. What is printed in the block is printed above it."""
    tally, terminal = Tally(title), sys.stderr
    signs, paint = Signs.of(getattr(terminal, "encoding", None)), _painter(terminal)
    if out.settings.is_quiet:
        yield Follower(tally, None, paint, signs, is_live=True)
        return
    if not can_be_drawn_on(terminal):
        # With --verbose the run itself tells everything that happens.
        follower = Follower(tally, None if out.settings.is_verbose else terminal, paint, signs, is_live=False)
        try:
            yield follower
        finally:
            follower.ended()
        return

    def content(width: int, height: int) -> list[str]:
        return tally.lines(width=width, height=height, paint=paint, signs=signs) if tally.task_count else []

    screen = Screen(terminal, content, clock=time.monotonic)
    with sharing_the_terminal(screen):
        follower = Follower(tally, sys.stderr, paint, signs, is_live=True)
        try:
            with screen.shown():
                yield follower
        finally:
            follower.ended()


def _painter(stream: Any) -> Paint:
    """By NO_COLOR, CLICOLOR_FORCE and --no-color, else colours for a terminal."""
    ctx = click.get_current_context(silent=True)
    color = ctx.color if ctx is not None else None
    is_colored = color if color is not None else can_be_drawn_on(stream)
    return (lambda text, name: click.style(text, fg=name) if name else text) if is_colored else _plain


def _plain(text: str, _: str | None) -> str:
    return text


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())
