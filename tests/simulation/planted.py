"""Bugs that published systems had, planted one at a time: each must be caught, or the simulation is blind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from dagy.core.states import Status


class Store:
    """A run store that passes everything on; its subclasses break one promise each."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class CountsArrivals(Store):
    """Joins count messages and not members: a repeat of one parent stands in for another."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._counts: Counter[str] = Counter()

    def arrive(self, run_id: str, node: str, member: int) -> int:
        self._counts[node] += 1
        return self._counts[node]


class DoesNotFence(Store):
    """Whoever finishes a task is believed, also an attempt that has been replaced: the last one wins."""

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: Any) -> Any:
        record = self._inner._records[run_id]
        task = record.tasks[task_run_id]
        changed = replace(task, status=outcome.status, attempt_id=attempt_id, result=outcome.result)
        record.tasks[task_run_id] = changed
        return changed


class IgnoresLeases(Store):
    """A task that runs can be taken by anybody."""

    def get_task(self, run_id: str, task_run_id: str) -> Any:
        task = self._inner.get_task(run_id, task_run_id)
        return replace(task, lease_until=0.0) if task is not None and task.lease_until is not None else task

    def claim_task(self, run_id: str, task_run_id: str, *, now: float, lease_s: float, **how: Any) -> Any:
        return self._inner.claim_task(run_id, task_run_id, now=now + 1e6, lease_s=lease_s - 1e6, **how)


class NeverRenews(Store):
    """The lease is not renewed while the child lives."""

    def renew_task(self, *_: Any, **__: Any) -> bool:
        return True


class WritesLater(Store):
    """Says that a result is stored, and loses every third."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._number = 0

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: Any) -> Any:
        self._number += 1
        if self._number % 3 or outcome.status is not Status.SUCCEEDED:
            return self._inner.finish_task(run_id, task_run_id, attempt_id=attempt_id, outcome=outcome)
        task = self._inner.get_task(run_id, task_run_id)
        return replace(task, status=outcome.status, result=outcome.result)


class EndsAgain(Store):
    """An end that was not accepted is said to have been."""

    def finish_run(self, run_id: str, **how: Any) -> Any:
        record = self._inner._records[run_id]
        record.run = replace(record.run, status=how["status"], ended_at=how["ended_at"], result=how.get("result"))
        return record.run


class CutsPlansShort(Store):
    """The last task of a plan is not stored."""

    def put_tasks(self, run_id: str, tasks: Any) -> None:
        self._inner.put_tasks(run_id, list(tasks)[: max(1, len(tasks) - 1)])


class MixesResults(Store):
    """A task that was tried again gets the result of another."""

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: Any) -> Any:
        if outcome.result is not None and outcome.attempt > 1:
            outcome = replace(outcome, result=replace(outcome.result, inline=b'"another"'))
        return self._inner.finish_task(run_id, task_run_id, attempt_id=attempt_id, outcome=outcome)


class SeatsEverybody(Store):
    """Limits are not minded."""

    def take_seat(self, hall: str, who: str, *, seats: int) -> bool:
        return bool(self._inner.take_seat(hall, who, seats=1000))


class KeepsSeats(Store):
    """Who has ended keeps the seat."""

    def leave_seat(self, hall: str, who: str) -> int:
        return len(self._inner.seated(hall))


PLANTED: dict[str, dict[str, Any]] = {
    "joins count": {"wrap_store": CountsArrivals},
    "no fencing": {"wrap_store": DoesNotFence},
    "leases are ignored": {"wrap_store": IgnoresLeases},
    "leases are not renewed": {"wrap_store": NeverRenews},
    "results are written later": {"wrap_store": WritesLater},
    "ends are not final": {"wrap_store": EndsAgain},
    "the plan is cut short": {"wrap_store": CutsPlansShort},
    "results are mixed up": {"wrap_store": MixesResults},
    "limits are not minded": {"wrap_store": SeatsEverybody},
    "seats are kept": {"wrap_store": KeepsSeats},
    "messages are acknowledged first": {"acknowledges_first": True, "has_reconciler": False},
    "no reconciler": {"has_reconciler": False},
}
