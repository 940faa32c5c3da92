"""Limits that hold across invocations: a hall has seats, and a queue before it.

Seats are kept as the set of those who sit, never as a count, so a repeat changes nothing, and whoever crashed with a
seat can be told by name: when that run or task has ended, the reconciler frees its seat.
"""

from __future__ import annotations

from typing import Protocol


def hall_of_tasks(run_id: str, task_name: str) -> str:
    """Of the runs of one task in one run of a flow: `concurrency_limit`."""
    return f"{run_id}@{task_name}"


def hall_of_runs(deployment: str) -> str:
    """Of the runs of a deployment: `max_concurrent_runs`."""
    return f"@{deployment}"


class Seats(Protocol):
    """A part of the run store. Each method is one atomic step."""

    def take_seat(self, hall: str, who: str, *, seats: int) -> bool:
        """Whether `who` sits there now. It takes a seat while fewer than `seats` are taken; who sits stays seated."""

    def leave_seat(self, hall: str, who: str) -> int:
        """How many seats are taken now. Nothing changes when `who` did not sit there."""

    def seated(self, hall: str) -> frozenset[str]: ...

    def queue_up(self, hall: str, entry: str) -> None:
        """A repeat changes nothing."""

    def leave_queue(self, hall: str, entry: str) -> None:
        """Nothing happens when it was not there."""

    def queue(self, hall: str, *, limit: int) -> tuple[str, ...]:
        """The first entries, by text."""
