"""What must be true at quiet of one run of a story: of the one it begins with, or of the retry of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dagy.core.sizes import Executor
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch
from dagy_runtime.engine.isolated.deciding import CONTAINER_OVERDUE_S, OVERDUE_S
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.rescue_timer import PERIOD_S
from dagy_runtime.values import Run, TaskRun

from .children import Shape, Workshop, payload_of
from .kernel import Kernel

DISPATCH_S = 3.0  # from a message that is sent to user code that runs
ENDED_FOR_A_REASON = {"InvocationFailed", "FunctionDied"}


@dataclass
class Generation:
    """A run of the story. `trouble_until` is when faults go off, in seconds since the beginning of the world."""

    run_id: str
    shape: Shape
    trouble_until: float
    retry_of: str | None = None
    began_at: float = 0.0
    cancelled_at: float | None = None

    def violations(self, kernel: Kernel, workshop: Workshop, story: Any) -> list[str]:
        return Judgement(self, kernel, workshop, story).violations()


@dataclass
class Judgement:
    generation: Generation
    kernel: Kernel
    workshop: Workshop
    story: Any

    def __post_init__(self) -> None:
        self.shape, self.cancelled_at = self.generation.shape, self.generation.cancelled_at
        self.started = [start for start in self.workshop.started if start.run_id == self.generation.run_id]

    def violations(self) -> list[str]:
        found = []
        store, shape = self.kernel.inner.runs, self.shape
        run, tasks = store.get_run(self.generation.run_id), self._tasks(self.generation.run_id)
        if run is None or not run.status.is_final:
            return [*found, f"I1: the run is {run and run.status} at quiet"]
        values = shape.values()
        for task in tasks.values():
            if not task.status.is_final:
                found.append(f"I1: {task.id} is {task.status} after the run's end")
            if task.status is Status.SUCCEEDED and self._bytes(task.result) != payload_of(values[task.id]).data:
                found.append(f"I2: {task.id} has another result than a sequential execution")
        if run.status is Status.SUCCEEDED:
            if set(tasks) != set(shape.parents) or any(t.status is not Status.SUCCEEDED for t in tasks.values()):
                found.append("I2: SUCCEEDED without every task's result")
            elif self._bytes(run.result) != payload_of("+".join(values[id] for id in shape.sinks)).data:
                found.append("I2: the run has another result than a sequential execution")
        return [
            *found,
            *self._wrong_end(run),
            *self._not_kept(tasks),
            *self._starts(),
            *self._waits(),
            *self._late_end(run, tasks),
        ]

    def _tasks(self, run_id: str) -> dict[str, TaskRun]:
        return {task.id: task for task in self.kernel.inner.runs.list_tasks(run_id, limit=100_000).items}

    def _not_kept(self, tasks: dict[str, TaskRun]) -> list[str]:
        """Of what the run that this one retries has done: it is done, by the same attempt, and does not run again."""
        if self.generation.retry_of is None or not tasks:
            return []  # or it was cancelled, or given up, before it had a plan
        before = self._tasks(self.generation.retry_of).values()
        accepted = {task.id: task for task in before if task.status is Status.SUCCEEDED}
        again = {start.task for start in self.started}
        return [
            f"I6: {id} had succeeded before, and the retry has {tasks[id].status} by {tasks[id].attempt_id}"
            for id, task in accepted.items()
            if id in again or (tasks[id].result, tasks[id].attempt_id) != (task.result, task.attempt_id)
        ]

    def _bytes(self, result: Any) -> bytes | None:
        if result is None:
            return None
        return bytes(result.inline if result.inline is not None else self.kernel.inner.blobs.get(result.key))

    def _wrong_end(self, run: Run) -> list[str]:
        doomed = any(count == -1 for count in self.shape.failures.values())
        if self.cancelled_at is not None:
            return (
                [] if run.status is Status.CANCELLED else [f"I7: an acknowledged cancel, and the run is {run.status}"]
            )
        if run.status is Status.CANCELLED:
            return ["I7: CANCELLED, and nobody asked for it"]
        expected = Status.FAILED if doomed else Status.SUCCEEDED
        if run.status is expected:
            return []
        reason = run.problem.error_type if run.problem is not None else "no reason"
        if run.status is Status.FAILED and reason in ENDED_FOR_A_REASON:
            return []
        return [f"I1: {run.status} for {reason}, expected {expected}: {run.problem}"]

    def _starts(self) -> list[str]:
        """How often and when user code began, and that a cancel ends it."""
        found = []
        by_task: dict[str, list[Any]] = {}
        for start in self.started:
            by_task.setdefault(start.task, []).append(start)
            if self.cancelled_at is None or start.at <= self.cancelled_at:
                continue
            if self.kernel.observer.claimed_at.get(start.attempt_id, 0.0) > self.cancelled_at:
                found.append(f"I7: {start.task} was taken after the cancel, and started")
            if start.at > self.cancelled_at + Pacing().check_s:
                found.append(f"I7: {start.task} started {start.at - self.cancelled_at:.1f} s after the cancel")
        faults = sum(self.kernel.hit.values())
        failures = self.shape.failures
        needed = {id: (3 if failures.get(id) == -1 else failures.get(id, 0) + 1) for id in self.shape.parents}
        extra = sum(max(0, len(starts) - needed[id]) for id, starts in by_task.items())
        if extra > faults:
            found.append(f"I4: {extra} extra starts, {faults} faults hit")
        return found

    def _late_end(self, run: Run, tasks: dict[str, TaskRun]) -> list[str]:
        """Without a fault a run ends when its last task has, at once if a retry has nothing left to do."""
        if not tasks or self.cancelled_at is not None or self.kernel.hit.total():
            return []
        last = max(to_epoch(at) for at in (run.created_at, *(task.ended_at for task in tasks.values())) if at)
        late_s = to_epoch(run.ended_at or "") - last
        if late_s <= DISPATCH_S + 2 * self.story.faults.skew_s:
            return []
        return [f"I11: the run ended {late_s:.1f} s after its last task"]

    def _waits(self) -> list[str]:
        """How long a task that is ready waits for its first start: nothing with no fault, else at most a period of the
        reconciler once faults are off, and a lease more when somebody died with the task just before. Where there is a
        limit, tasks wait for others.
        """
        if self.shape.limit is not None:
            return []
        found, seen = [], set()
        is_slow = self.story.executor is Executor.ECS
        overdue_s, lost_s = (CONTAINER_OVERDUE_S, CONTAINER_OVERDUE_S) if is_slow else (OVERDUE_S, 0.0)
        hits, skew_s = sum(self.kernel.hit.values()), self.story.faults.skew_s
        for start in self.started:
            if start.task in seen:
                continue
            seen.add(start.task)
            ready_at = max(start.ready_at, self.generation.began_at)
            if hits == 0:
                latest = ready_at + DISPATCH_S + skew_s
            elif ready_at >= self.generation.trouble_until:
                latest = ready_at + overdue_s + PERIOD_S + 3 + DISPATCH_S + skew_s
            else:
                latest = (
                    self.generation.trouble_until + 2 * (PERIOD_S + 3) + Pacing().lease_s + lost_s + DISPATCH_S + skew_s
                )
            if start.at > latest:
                found.append(f"I11: {start.task} was ready at {ready_at:.1f} and started at {start.at:.1f}")
        return found
