"""Looking at the store before and after every write: what must never change, and who may change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dagy.core.states import RUN_TRANSITIONS, TASK_TRANSITIONS, Status
from dagy_runtime.values import Run, TaskRun

WRITES: Final = frozenset(
    {"claim_run", "finish_run", "request_cancel", "put_tasks", "finish_task", "claim_task", "renew_task",
     "settle_tasks", "set_planned"}
)  # fmt: skip


class Observer:
    """A run store that lets everything through and writes `problems` down: I5, who holds a task, and I6, what is final.

    `store` may have a bug planted in it; `truth` is the memory store below it.
    """

    def __init__(self, kernel: Any, truth: Any, store: Any) -> None:
        self._kernel, self._truth, self._store = kernel, truth, store
        self.problems: list[str] = []
        self.claimed_at: dict[str | None, float] = {}  # by attempt id

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in WRITES:
            return method

        def observed(run_id: str, *args: Any, **kwargs: Any) -> Any:
            record = self._truth._records.get(run_id)
            if record is None:
                return method(run_id, *args, **kwargs)
            one = args[0] if args and isinstance(args[0], str) else None  # the task that it is about
            run, tasks = record.run, {one: record.tasks[one]} if one in record.tasks else dict(record.tasks)
            answer = method(run_id, *args, **kwargs)
            self._compare_run(name, run, record.run)
            for id, before in tasks.items():
                after = record.tasks[id]
                if after is not before:
                    self._compare_task(name, before, after, kwargs)
            return answer

        return observed

    def _compare_run(self, name: str, before: Run, after: Run) -> None:
        if before.status.is_final and (before.status, before.ended_at, before.result, before.problem) != (
            after.status, after.ended_at, after.result, after.problem
        ):  # fmt: skip
            self.problems.append(f"I6: {name} changed a run that was {before.status} to {after.status}")
        elif after.status is not before.status and after.status not in RUN_TRANSITIONS[before.status]:
            self.problems.append(f"I6: {name} made a run that was {before.status} {after.status}")

    def _compare_task(self, name: str, before: TaskRun, after: TaskRun, asked: Mapping[str, Any]) -> None:
        if before.status.is_final:
            self.problems.append(f"I6: {name} changed {before.id}, which was {before.status}, to {after.status}")
        elif after.status is not before.status and after.status not in TASK_TRANSITIONS[before.status]:
            self.problems.append(f"I6: {name} made {before.id}, which was {before.status}, {after.status}")
        own_id = asked.get("attempt_id")
        if name in ("finish_task", "renew_task") and before.attempt_id != own_id:
            self.problems.append(f"I5: {name} by {own_id} changed {before.id}, which {before.attempt_id} had")
        if name == "claim_task" and after.attempt_id != before.attempt_id:
            self.claimed_at[after.attempt_id] = self._kernel.now
            self._check_claim(before)

    def _check_claim(self, before: TaskRun) -> None:
        now = self._kernel.clock.now() + self._kernel.faults.skew_s
        if before.status is Status.RUNNING and before.lease_until is not None and before.lease_until > now + 1e-6:
            left_s = before.lease_until - now
            self.problems.append(f"I5: {before.id} was claimed {left_s:.1f} s before its lease ended")
        if before.not_before is not None and before.not_before > now + 1e-6:
            self.problems.append(f"I5: {before.id} was claimed before its time")
