"""Being told what happens in a run of this machine while it happens, for those who show it."""

from __future__ import annotations

from typing import Protocol

from dagy.core.states import Status


class RunWatcher(Protocol):
    """Called from the runner's threads, several at once, between one task and the next: it returns at once, and never
    raises. What it is told is recorded already, or about to be.
    """

    def run_began(self, run_id: str, *, task_count: int, kept_count: int) -> None:
        """`kept_count` of the tasks an earlier execution has finished."""

    def task_changed(
        self, task_run_id: str, status: Status, *, attempt: int, duration_s: float | None = None, message: str = ""
    ) -> None:
        """`PENDING` after an attempt means that there will be another; `message` says why it failed, or why the task
        was skipped or cancelled.
        """


class Unwatched:
    """A watcher for nobody."""

    def run_began(self, run_id: str, *, task_count: int, kept_count: int) -> None:
        """Nothing."""

    def task_changed(
        self, task_run_id: str, status: Status, *, attempt: int, duration_s: float | None = None, message: str = ""
    ) -> None:
        """Nothing."""
