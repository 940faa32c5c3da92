"""One run from its submission to the quiet after it, under a seed, and what must be true of it then."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.isolated.deciding import OVERDUE_S
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.rescue_timer import PERIOD_S, arm_reconciler
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.values import ArtifactRef, Run, Trigger

from .children import Shape, Workshop, payload_of
from .kernel import FOREVER_S, Faults, Kernel

TROUBLE_S = 400.0  # then faults are off
DISPATCH_S = 3.0  # from a message that is sent to user code that runs
ENDED_FOR_A_REASON = {"InvocationFailed", "FunctionDied"}
ANSWERS = {
    "Finished", "HandedOver", "LookedAfter", "Abandoned", "Ignored run_final", "Ignored run_leased",
    "Ran", "Repeated", "Dropped", "Passed task_taken",
    "Passed task_waits", "Passed task_queued", "Passed run_final", "Released",
}  # fmt: skip
"""What an invocation may answer; each of these that drops a message says why."""


@dataclass(frozen=True)
class Story:
    shape: Shape
    faults: Faults
    fail_fast: bool = True
    cancel_at_s: float | None = None
    executor: Executor | None = None  # the deployment's; None is Lambda


def story_of(seed: int) -> Story:
    """A DAG of 1 to 12 tasks, some of which fail, and a mixture of faults."""
    chance = random.Random(seed)
    parents: dict[str, tuple[str, ...]] = {}
    for number in range(chance.randint(1, 12)):
        known = list(parents)
        parents[f"t-{number}"] = tuple(sorted(chance.sample(known, chance.randint(0, min(len(known), 4)))))
    seconds = {id: chance.choice([0.01, 0.5, 3.0, 40.0]) for id in parents}
    failures = {id: chance.choice([1, 2, -1]) for id in parents if chance.random() < 0.1}
    rate = chance.choice([0.0, 0.01, 0.03, 0.08])
    kinds = {name: chance.choice([0.0, rate]) for name in ("crash", "unavailable", "reply_lost", "duplicate", "delay")}
    faults = Faults(**kinds, lose=chance.choice([0.0, 0.0, rate]), skew_s=chance.choice([0.0, 3.0]))
    cancel_at_s = chance.uniform(0, 120) if chance.random() < 0.15 else None
    delay_s = chance.choice([1.0, 30.0])
    fail_fast = chance.random() < 0.6
    large = frozenset(id for id in parents if chance.random() < 0.03)
    faults = replace(faults, repeated=chance.choice([0.0, rate]))
    if chance.random() < 0.05:
        away_at = chance.uniform(0, 200)
        faults = replace(faults, outages=((away_at, away_at + chance.choice([5.0, 45.0, 180.0])),))
    limit = random.Random(-seed - 1).choice([None, None, 1, 2, 3])
    shape = Shape(parents, seconds, failures, retry_delay_s=delay_s, large=large, limit=limit)
    executor = random.Random(-seed - 2).choice([None, None, Executor.STEP_FUNCTIONS])
    return Story(shape, faults, fail_fast, cancel_at_s, executor)


def violations(seed: int, *, story: Story | None = None, **planted: Any) -> list[str]:
    """What was not as promised; empty when all was. `planted` are the kernel's bugs."""
    return Telling(seed, story or story_of(seed), **planted).violations()


class Telling:
    def __init__(self, seed: int, story: Story, *, cancels_when_struck: bool = False, **planted: Any) -> None:
        self.story = story
        self.kernel = kernel = Kernel(seed, story.faults, **planted)
        kernel.when_struck = self._cancel if cancels_when_struck else None
        self.workshop = kernel.workshop = Workshop(kernel, story.shape)
        self.cancelled_at: float | None = None
        run = Run(
            id="run-1", flow_name="f", flow_version="1", artifact=ArtifactRef("b", "k", "0" * 64), size=Size.NANO,
            isolation=Isolation.TASK_ISOLATED, parameters={}, trigger=Trigger.MANUAL,
            created_at=to_iso(kernel.clock.now()), status=Status.PENDING, fail_fast=story.fail_fast,
            default_executor=story.executor,
        )  # fmt: skip
        ports = kernel.inner_ports()
        ports.runs.create_run(run)
        arm_reconciler(ports)
        kernel.to_runtime(AdvanceRun(run.id))
        if story.cancel_at_s is not None:
            kernel.at(story.cancel_at_s, self._cancel)
        kernel.run(TROUBLE_S)
        kernel.are_faults_on = False
        kernel.run(FOREVER_S)

    def _cancel(self) -> None:
        """By somebody whose every call succeeds."""
        if cancel_run(self.kernel.inner_ports(), "run-1").status is Status.CANCELLED:
            self.cancelled_at = self.kernel.now

    def violations(self) -> list[str]:
        found = [*self.workshop.problems, *self.kernel.observer.problems]
        store, shape = self.kernel.inner.runs, self.story.shape
        run = store.get_run("run-1")
        tasks = {task.id: task for task in store.list_tasks("run-1", limit=100_000).items}
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
        return [*found, *self._wrong_end(run), *self._starts(), *self._waits(), *self._silences()]

    def _bytes(self, result: Any) -> bytes | None:
        if result is None:
            return None
        return bytes(result.inline if result.inline is not None else self.kernel.inner.blobs.get(result.key))

    def _wrong_end(self, run: Run) -> list[str]:
        doomed = any(count == -1 for count in self.story.shape.failures.values())
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
        for start in self.workshop.started:
            by_task.setdefault(start.task, []).append(start)
            if self.cancelled_at is None or start.at <= self.cancelled_at:
                continue
            if self.kernel.observer.claimed_at.get(start.attempt_id, 0.0) > self.cancelled_at:
                found.append(f"I7: {start.task} was taken after the cancel, and started")
            if start.at > self.cancelled_at + Pacing().check_s:
                found.append(f"I7: {start.task} started {start.at - self.cancelled_at:.1f} s after the cancel")
        faults = sum(self.kernel.hit.values())
        failures = self.story.shape.failures
        needed = {id: (3 if failures.get(id) == -1 else failures.get(id, 0) + 1) for id in self.story.shape.parents}
        extra = sum(max(0, len(starts) - needed[id]) for id, starts in by_task.items())
        if extra > faults:
            found.append(f"I4: {extra} extra starts, {faults} faults hit")
        return found

    def _waits(self) -> list[str]:
        """How long a task that is ready waits for its first start: nothing with no fault, else at most a period of the
        reconciler once faults are off, and a lease more when somebody died with the task just before. Where there is a
        limit, tasks wait for others.
        """
        if self.story.shape.limit is not None:
            return []
        found, seen = [], set()
        hits, skew_s = sum(self.kernel.hit.values()), self.story.faults.skew_s
        for start in self.workshop.started:
            if start.task in seen:
                continue
            seen.add(start.task)
            if hits == 0:
                latest = start.ready_at + DISPATCH_S + skew_s
            elif start.ready_at >= TROUBLE_S:
                latest = start.ready_at + OVERDUE_S + PERIOD_S + 3 + DISPATCH_S + skew_s
            else:
                latest = TROUBLE_S + 2 * (PERIOD_S + 3) + Pacing().lease_s + DISPATCH_S + skew_s
            if start.at > latest:
                found.append(f"I11: {start.task} was ready at {start.ready_at:.1f} and started at {start.at:.1f}")
        return found

    def _silences(self) -> list[str]:
        letters = self.kernel.inner.runs.list_dead_letters(limit=1000).items
        found = [f"I8: an invocation said {word!r}" for word in self.kernel.answers if word not in ANSWERS]
        if len(letters) != self.kernel.given_up or any(not letter.reason for letter in letters):
            found.append(f"I8: {self.kernel.given_up} messages were given up, {len(letters)} letters kept")
        return found
