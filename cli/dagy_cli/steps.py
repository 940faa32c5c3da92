"""Progress for people: one line per step with its time, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from dagy_cli.output import Output

MARKS = {
    "Changed": ("~", "yellow"), "Schedule": ("·", None), "Uncompiled": ("!", "yellow"),
    "Upload": ("·", None), "Register": ("·", None), "Deploy": ("·", None),
}  # fmt: skip
"""What is told but takes no time of its own; the last three are of dry runs."""


class Steps:
    """Writes a line for each finished step. A step lasts from the one before it, or from the start."""

    def __init__(self, out: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._started_at = self._last_at = clock()

    def done(self, title: str, detail: str) -> None:
        now = self._clock()
        mark, color = MARKS.get(title, ("✓", "green"))
        took = f"  {now - self._last_at:.1f}s" if title not in MARKS else ""
        self._out.remark(f"  {click.style(mark, fg=color)} {title:<10} {detail}{took}")
        self._last_at = now

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._started_at
