"""Limits that hold across invocations: a semaphore has permits, and a queue of those who wait for one.

A semaphore is the set of its holders, never a count, so a repeat changes nothing, and whoever crashed with a permit can
be told by name: when that run or task has ended, the reconciler releases its permit.
"""

from __future__ import annotations

from typing import Protocol


def semaphore_of_task(run_id: str, task_name: str) -> str:
    """Of the runs of one task in one run of a flow: `concurrency_limit`."""
    return f"{run_id}@{task_name}"


def semaphore_of_deployment(deployment: str) -> str:
    """Of the runs of a deployment: `max_concurrent_runs`."""
    return f"@{deployment}"


class Semaphores(Protocol):
    """A part of the run store. Each method is one atomic step."""

    def acquire_permit(self, semaphore: str, holder: str, *, permits: int) -> bool:
        """Whether `holder` has a permit now. It gets one while fewer than `permits` are held, and keeps what it has."""

    def release_permit(self, semaphore: str, holder: str) -> int:
        """How many permits are held now. Nothing changes when `holder` had none."""

    def permit_holders(self, semaphore: str) -> frozenset[str]: ...

    def enqueue(self, semaphore: str, entry: str) -> None:
        """A repeat changes nothing."""

    def dequeue(self, semaphore: str, entry: str) -> None:
        """Nothing happens when it was not there."""

    def queue(self, semaphore: str, *, limit: int) -> tuple[str, ...]:
        """The first entries, by text."""
