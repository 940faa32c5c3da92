"""Statuses of runs and tasks, and which may follow which. The one table every shell obeys.

A status outside `TRANSITIONS[kind][status]` may not follow; terminal statuses have no successors. Shells turn
the table into conditional writes with `sources_of`, so that cancel and completion race in the store and exactly
one of them wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Mapping


class Status(str, Enum):
    """Where a run or a task stands."""

    SCHEDULED = "SCHEDULED"  # runs only: starts later
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"  # tasks only: something it depends on failed
    CANCELLED = "CANCELLED"

    __str__ = str.__str__

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.SKIPPED, Status.CANCELLED})

RUN_TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.SCHEDULED: frozenset({Status.PENDING, Status.CANCELLED}),
    Status.PENDING: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

TASK_TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.RUNNING, Status.FAILED, Status.SKIPPED, Status.CANCELLED}),
    # Back to PENDING: waiting for a retry, or handed back because the function's time ran out.
    Status.RUNNING: frozenset({Status.RUNNING, Status.PENDING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
}


def sources_of(target: Status, transitions: Mapping[Status, frozenset[Status]]) -> frozenset[Status]:
    """The statuses from which `target` may be entered, in the given table."""
    return frozenset(source for source, targets in transitions.items() if target in targets)


@dataclass(frozen=True, slots=True)
class State:
    """What a hook is told: a status, and why. `type` is one of the names in `Status`."""

    type: str
    message: str | None = None


def running(message: str | None = None) -> State:
    """What `on_running` hooks get, and with the reason, `on_retry` hooks."""
    return State(Status.RUNNING.value, message)


def completed(message: str | None = None) -> State:
    """What `on_completion` hooks get; its type is SUCCEEDED."""
    return State(Status.SUCCEEDED.value, message)


def failed(message: str | None = None) -> State:
    """What `on_failure` hooks get, with the error's message."""
    return State(Status.FAILED.value, message)
