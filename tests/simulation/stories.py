"""One run from its submission to the quiet after it, under a seed, and what must be true of it then."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import msgspec

from dagy.core.sizes import Isolation, Size
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.rescue_timer import arm_reconciler
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.values import ArtifactRef, Run, Trigger

from .children import Shape, Workshop
from .kernel import FOREVER_S, Faults, Kernel

TROUBLE_S = 400.0  # then faults are off


@dataclass(frozen=True)
class Story:
    shape: Shape
    faults: Faults
    fail_fast: bool = True
    cancel_at_s: float | None = None


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
    limit = random.Random(-seed - 1).choice([None, None, 1, 2, 3])
    return Story(
        Shape(parents, seconds, failures, retry_delay_s=delay_s, limit=limit),
        faults,
        chance.random() < 0.6,
        cancel_at_s,
    )


def violations(seed: int, *, story: Story | None = None, **planted: Any) -> list[str]:
    """What was not as promised; empty when all was. `planted` are the kernel's bugs."""
    return Telling(seed, story or story_of(seed), **planted).violations()


class Telling:
    def __init__(self, seed: int, story: Story, **planted: Any) -> None:
        self.story = story
        self.kernel = kernel = Kernel(seed, story.faults, **planted)
        self.workshop = kernel.workshop = Workshop(kernel, story.shape)
        self.cancelled_at: float | None = None
        run = Run(
            id="run-1", flow_name="f", flow_version="1", artifact=ArtifactRef("b", "k", "0" * 64), size=Size.NANO,
            isolation=Isolation.TASK_ISOLATED, parameters={}, trigger=Trigger.MANUAL,
            created_at=to_iso(kernel.clock.now()), status=Status.PENDING, fail_fast=story.fail_fast,
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
        if cancel_run(self.kernel.inner_ports(), "run-1").status is Status.CANCELLED:
            self.cancelled_at = self.kernel.now

    def violations(self) -> list[str]:
        found = list(self.workshop.problems)
        store, shape = self.kernel.inner.runs, self.story.shape
        run = store.get_run("run-1")
        tasks = {task.id: task for task in store.list_tasks("run-1", limit=1000).items}
        if run is None or not run.status.is_final:
            return [*found, f"I1: the run is {run and run.status} at quiet"]
        for task in tasks.values():
            if not task.status.is_final:
                found.append(f"I1: {task.id} is {task.status} after the run's end")
            if task.status is Status.SUCCEEDED and _decoded(task.result) != shape.value(task.id):
                found.append(f"I2: {task.id} has another result than a sequential execution")
        if run.status is Status.SUCCEEDED:
            if set(tasks) != set(shape.parents) or any(t.status is not Status.SUCCEEDED for t in tasks.values()):
                found.append("I2: SUCCEEDED without every task's result")
            elif _decoded(run.result) != "+".join(shape.value(id) for id in shape.sinks):
                found.append("I2: the run has another result than a sequential execution")
        found += self._wrong_end(run)
        found += self._starts()
        return found

    def _wrong_end(self, run: Run) -> list[str]:
        doomed = any(count == -1 for count in self.story.shape.failures.values())
        gave_up = bool(self.kernel.inner.runs.list_dead_letters(limit=1).items)
        if self.cancelled_at is not None:
            return (
                [] if run.status is Status.CANCELLED else [f"I7: an acknowledged cancel, and the run is {run.status}"]
            )
        if run.status is Status.CANCELLED:
            return ["I7: CANCELLED, and nobody asked for it"]
        expected = Status.FAILED if doomed else Status.SUCCEEDED
        if run.status is not expected and not (run.status is Status.FAILED and (gave_up or self._has_deadly())):
            return [f"I1: {run.status}, expected {expected}: {run.problem}"]
        return []

    def _has_deadly(self) -> bool:
        tasks = self.kernel.inner.runs.list_tasks("run-1", limit=1000).items
        return any(task.problem is not None and task.problem.error_type == "FunctionDied" for task in tasks)

    def _starts(self) -> list[str]:
        found = []
        by_task: dict[str, list[Any]] = {}
        for start in self.workshop.started:
            by_task.setdefault(start.task, []).append(start)
            if self.cancelled_at is not None and start.at > self.cancelled_at + Pacing().check_s:
                found.append(f"I7: {start.task} started {start.at - self.cancelled_at:.1f} s after the cancel")
        faults = sum(self.kernel.hit.values())
        failures = self.story.shape.failures
        needed = {id: (3 if failures.get(id) == -1 else failures.get(id, 0) + 1) for id in self.story.shape.parents}
        extra = sum(max(0, len(starts) - needed[id]) for id, starts in by_task.items())
        if extra > faults:
            found.append(f"I4: {extra} extra starts, {faults} faults hit")
        return found


def _decoded(result: Any) -> Any:
    return None if result is None else msgspec.json.decode(result.inline)
