"""One run from its submission to the quiet after it, under a seed; some that did not succeed are retried then."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.rescue_timer import arm_reconciler
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.values import ArtifactRef, Run, Trigger

from .children import Shape, Workshop
from .generations import Generation
from .kernel import FOREVER_S, Faults, Kernel

TROUBLE_S = 400.0  # then faults are off
ANSWERS = {
    "Finished", "HandedOver", "LookedAfter", "Abandoned", "Ignored run_final", "Ignored run_leased",
    "Ran", "Repeated", "Dropped", "Passed task_taken",
    "Passed task_waits", "Passed task_queued", "Passed task_sent_on", "Passed run_final", "Released",
}  # fmt: skip
"""What an invocation may answer; each of these that drops a message says why."""


@dataclass(frozen=True)
class Story:
    shape: Shape
    faults: Faults
    fail_fast: bool = True
    cancel_at_s: float | None = None
    executor: Executor | None = None  # the deployment's; None is Lambda
    again: Shape | None = None  # how tasks do when the run is retried, which it is unless it has succeeded
    has_trouble_again: bool = False


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
    retry = random.Random(-seed - 3)
    again = retry.choice([None, shape, replace(shape, failures={}), replace(shape, failures={})])
    return Story(shape, faults, fail_fast, cancel_at_s, executor, again, has_trouble_again=retry.random() < 0.5)


def violations(seed: int, *, story: Story | None = None, **planted: Any) -> list[str]:
    """What was not as promised; empty when all was. `planted` are the kernel's bugs."""
    return Telling(seed, story or story_of(seed), **planted).violations()


class Telling:
    """`generations` are the runs of the story, as they are to be judged at quiet: one, and perhaps the retry of it."""

    def __init__(self, seed: int, story: Story, *, cancels_when_struck: bool = False, **planted: Any) -> None:
        self.story = story
        self.kernel = kernel = Kernel(seed, story.faults, **planted)
        kernel.when_struck = self._cancel if cancels_when_struck else None
        self.workshop = kernel.workshop = Workshop(kernel, story.shape)
        self.generations = [Generation("run-1", story.shape, trouble_until=TROUBLE_S)]
        self._begin("run-1")
        if story.cancel_at_s is not None:
            kernel.at(story.cancel_at_s, self._cancel)
        kernel.run(TROUBLE_S)
        kernel.are_faults_on = False
        kernel.run(FOREVER_S)
        first = kernel.inner.runs.get_run("run-1")
        if story.again is not None and first is not None and first.status in (Status.FAILED, Status.CANCELLED):
            self._retry(story.again)

    def _begin(self, run_id: str, *, retry_of: str | None = None) -> None:
        story, ports = self.story, self.kernel.inner_ports()
        run = Run(
            id=run_id, flow_name="f", flow_version="1", artifact=ArtifactRef("b", "k", "0" * 64), size=Size.NANO,
            isolation=Isolation.TASK_ISOLATED, parameters={}, trigger=Trigger.MANUAL,
            created_at=to_iso(self.kernel.clock.now()), status=Status.PENDING, fail_fast=story.fail_fast,
            default_executor=story.executor, retry_of=retry_of,
        )  # fmt: skip
        ports.runs.create_run(run)
        arm_reconciler(ports)
        self.kernel.to_runtime(AdvanceRun(run_id))

    def _retry(self, shape: Shape) -> None:
        now = self.kernel.now
        self.workshop.shape = shape
        self.kernel.are_faults_on = self.story.has_trouble_again
        until = now + TROUBLE_S if self.story.has_trouble_again else now
        self.generations.append(Generation("run-2", shape, trouble_until=until, retry_of="run-1", began_at=now))
        self._begin("run-2", retry_of="run-1")
        self.kernel.run(until)
        self.kernel.are_faults_on = False
        self.kernel.run(now + FOREVER_S)

    def _cancel(self) -> None:
        """By somebody whose every call succeeds. Of the newest run."""
        newest = self.generations[-1]
        if cancel_run(self.kernel.inner_ports(), newest.run_id).status is Status.CANCELLED:
            newest.cancelled_at = self.kernel.now

    @property
    def cancelled_at(self) -> float | None:
        return self.generations[0].cancelled_at

    def violations(self) -> list[str]:
        found = [*self.workshop.problems, *self.kernel.observer.problems]
        for generation in self.generations:
            found += generation.violations(self.kernel, self.workshop, self.story)
        return [*found, *self._silences()]

    def _silences(self) -> list[str]:
        letters = self.kernel.inner.runs.list_dead_letters(limit=1000).items
        found = [f"I8: an invocation said {word!r}" for word in self.kernel.answers if word not in ANSWERS]
        if len(letters) != self.kernel.given_up or any(not letter.reason for letter in letters):
            found.append(f"I8: {self.kernel.given_up} messages were given up, {len(letters)} letters kept")
        return found
