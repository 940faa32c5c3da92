"""Bugs that published systems had, planted one at a time: each must be caught, or the simulation is blind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from dagy.core.states import Status
from dagy_runtime.adapters import rules


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
        changed = replace(rules.finished(task, outcome), attempt_id=attempt_id)
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


class KeepsNothing(Store):
    """A retry runs again what has succeeded."""

    def put_tasks(self, run_id: str, tasks: Any) -> None:
        anew = {"status": Status.PENDING, "attempt": 0, "attempt_id": None, "started_at": None, "ended_at": None}
        self._inner.put_tasks(run_id, [replace(task, result=None, **anew) for task in tasks])


class MixesResults(Store):
    """A task that was tried again gets the result of another."""

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: Any) -> Any:
        if outcome.result is not None and outcome.attempt > 1:
            outcome = replace(outcome, result=replace(outcome.result, inline=b'"another"'))
        return self._inner.finish_task(run_id, task_run_id, attempt_id=attempt_id, outcome=outcome)


class AcquiresAlways(Store):
    """Limits are not minded."""

    def acquire_permit(self, semaphore: str, holder: str, *, permits: int) -> bool:
        return bool(self._inner.acquire_permit(semaphore, holder, permits=1000))


class NeverReleases(Store):
    """Who has ended keeps the permit."""

    def release_permit(self, semaphore: str, holder: str) -> int:
        return len(self._inner.permit_holders(semaphore))


class ComparesNoTokens(Store):
    """A claim that was written already is told as lost, though it is the caller's own."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._claimed: set[str] = set()

    def claim_task(self, run_id: str, task_run_id: str, *, attempt_id: str, **how: Any) -> Any:
        task = self._inner.claim_task(run_id, task_run_id, attempt_id=attempt_id, **how)
        if attempt_id in self._claimed:
            return replace(task, attempt_id="somebody")
        self._claimed.add(attempt_id)
        return task


class LeavesTasksOpen(Store):
    """The end of a run ends none of its tasks."""

    def finish_run(self, run_id: str, **how: Any) -> Any:
        record = self._inner._records[run_id]
        tasks = dict(record.tasks)
        run = self._inner.finish_run(run_id, **how)
        record.tasks.update(tasks)
        return run


class ForgetsWhatIsDone(Store):
    """A message for a task that has ended does nothing, also when its release was lost."""

    def get_task(self, run_id: str, task_run_id: str) -> Any:
        task = self._inner.get_task(run_id, task_run_id)
        return None if task is not None and task.status.is_final else task


class FillsJoinsEarly(Store):
    """A join is full one member too early."""

    def arrive(self, run_id: str, node: str, member: int) -> int:
        return int(self._inner.arrive(run_id, node, member)) + 1


class LosesArrivals(Store):
    """Every fifth arrival is said to be stored, and is not."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._number = 0

    def arrive(self, run_id: str, node: str, member: int) -> int:
        self._number += 1
        return 0 if self._number % 5 == 0 else int(self._inner.arrive(run_id, node, member))


class SettlesWhatIsDone(Store):
    """Skipping and cancelling ask nobody whether a task has ended."""

    def settle_tasks(self, run_id: str, task_run_ids: Any, *, status: Status, **how: Any) -> None:
        record = self._inner._records[run_id]
        for id in task_run_ids:
            record.tasks[id] = replace(record.tasks[id], status=status)


class TakesLeasesEarly(Store):
    """A lease counts as over when most of it has passed."""

    def get_task(self, run_id: str, task_run_id: str) -> Any:
        task = self._inner.get_task(run_id, task_run_id)
        if task is None or task.lease_until is None:
            return task
        return replace(task, lease_until=task.lease_until - 25.0)

    def claim_task(self, run_id: str, task_run_id: str, *, now: float, **how: Any) -> Any:
        return self._inner.claim_task(run_id, task_run_id, now=now + 25.0, **{**how, "lease_s": how["lease_s"] - 25.0})


class RevivesTasks(Store):
    """An attempt that ends after its task was cancelled is believed."""

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: Any) -> Any:
        record = self._inner._records[run_id]
        task = record.tasks[task_run_id]
        if task.status is Status.CANCELLED:
            record.tasks[task_run_id] = rules.finished(task, outcome)
            return record.tasks[task_run_id]
        return self._inner.finish_task(run_id, task_run_id, attempt_id=attempt_id, outcome=outcome)


class LosesLetters(Store):
    """What AWS gave up on is not kept."""

    def put_dead_letter(self, letter: Any) -> None:
        pass


class ForgetsKeys(Store):
    """The idempotency key is not remembered."""

    def create_run(self, run: Any, *, idempotency_key: str | None = None) -> Any:
        return self._inner.create_run(run)


class NamesRunsAnew(Store):
    """A scheduled run is not named after its nominal time."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._number = 0

    def create_run(self, run: Any, *, idempotency_key: str | None = None) -> Any:
        self._number += 1
        return self._inner.create_run(replace(run, id=f"{run.id}-{self._number}"), idempotency_key=idempotency_key)


PLANTED: dict[str, dict[str, Any]] = {
    "joins count messages": {"wrap_store": CountsArrivals},
    "joins fill early": {"wrap_store": FillsJoinsEarly},
    "arrivals are lost, and no reconciler": {"wrap_store": LosesArrivals, "has_reconciler": False},
    "no fencing": {"wrap_store": DoesNotFence},
    "tokens are not compared, and no reconciler": {"wrap_store": ComparesNoTokens, "has_reconciler": False},
    "leases are ignored": {"wrap_store": IgnoresLeases},
    "leases are taken early": {"wrap_store": TakesLeasesEarly},
    "leases are not renewed": {"wrap_store": NeverRenews},
    "results are written later": {"wrap_store": WritesLater},
    "results are mixed up": {"wrap_store": MixesResults},
    "a retry keeps nothing": {"wrap_store": KeepsNothing},
    "limits are not minded": {"wrap_store": AcquiresAlways},
    "permits are kept": {"wrap_store": NeverReleases},
    "ends are not final": {"wrap_store": EndsAgain},
    "an end leaves tasks open": {"wrap_store": LeavesTasksOpen},
    "what is done is settled again": {"wrap_store": SettlesWhatIsDone},
    "cancelled tasks come alive": {"wrap_store": RevivesTasks},
    "the plan is cut short": {"wrap_store": CutsPlansShort},
    "messages are acknowledged first, and no reconciler": {"acknowledges_first": True, "has_reconciler": False},
    "a repeat releases nothing, and no reconciler": {"wrap_store": ForgetsWhatIsDone, "has_reconciler": False},
    "no reconciler": {"has_reconciler": False},
    "dead letters are lost": {"wrap_store": LosesLetters},
}
PLANTED_IN_SUBMISSIONS: dict[str, dict[str, Any]] = {
    "idempotency keys are forgotten": {"wrap_store": ForgetsKeys},
    "scheduled runs have names of chance": {"wrap_store": NamesRunsAnew},
}


def seeds_until_caught(tell: Callable[..., list[str]], how: dict[str, Any], *, most: int = 2000) -> int | None:
    """How many seeds it takes until something is not as promised; None when `most` see nothing."""
    for seed in range(most):
        if tell(seed, **how):
            return seed + 1
    return None
