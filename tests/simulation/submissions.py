"""How runs come into being, under faults: many callers with one key, and schedules whose message comes often."""

from __future__ import annotations

import random
from typing import Any

from greenlet import greenlet

from dagy.core.errors import Unavailable
from dagy.core.sizes import ExecutionMode, Isolation, Size
from dagy.core.spec import FlowSpec
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.submit import submit_run
from dagy_runtime.messages import FireSchedule
from dagy_runtime.ports import EVERY_RUN
from dagy_runtime.values import ArtifactRef, Deployment, DeploymentStatus, FlowVersion, ScheduleSpec, Trigger

from .children import Shape, Workshop
from .kernel import FOREVER_S, Crash, Faults, Kernel
from .stories import TROUBLE_S

CALLERS = 64
SHAPE = Shape({"a-0": (), "b-0": ("a-0",)}, {"a-0": 0.5, "b-0": 0.5}, {})


def faults_of(chance: random.Random) -> Faults:
    rate = chance.choice([0.0, 0.02, 0.08])
    kinds = {name: chance.choice([0.0, rate]) for name in ("crash", "unavailable", "reply_lost", "repeated", "delay")}
    return Faults(**kinds, duplicate=chance.choice([0.0, 0.3]))


class Submissions:
    """I9 and I10: `expected` runs, whatever happened to those who asked for them."""

    def __init__(self, seed: int, **planted: Any) -> None:
        chance = random.Random(seed)
        self.problems: list[str] = []
        self.kernel = kernel = Kernel(seed, faults_of(chance), **planted)
        kernel.workshop = Workshop(kernel, SHAPE)
        now = to_iso(kernel.clock.now())
        artifact = ArtifactRef("b", "k", "0" * 64)
        self.flow = FlowVersion("f", "1", FlowSpec("f", "1", now), artifact, None, "team", {}, now, now)
        self.deployment = Deployment(
            "d", "f", "1", 0, DeploymentStatus.ACTIVE, Size.NANO, Isolation.TASK_ISOLATED, now, now,
            schedule=ScheduleSpec("0 * * * *", "UTC"),
        )  # fmt: skip
        kernel.inner.registry.put_flow(self.flow)
        kernel.inner.registry.put_deployment(self.deployment, expected_version=None)
        self.acknowledged: set[str] = set()
        self.expected = self._by_schedule(chance) if seed % 2 else self._by_callers()
        kernel.run(TROUBLE_S)
        kernel.are_faults_on = False
        kernel.run(FOREVER_S)
        self._judge()

    def _by_callers(self) -> int:
        for number in range(CALLERS):
            self.kernel.at(
                self.kernel.chance.uniform(0, 0.1), lambda n=number: greenlet(lambda: self._call(n)).switch()
            )
        return 1

    def _call(self, number: int) -> None:
        """A caller who asks until there is an answer, as often as it takes, unless it dies."""
        while True:
            try:
                made = submit_run(
                    self.kernel.ports(f"caller-{number}"), flow=self.flow, deployment=self.deployment, parameters={},
                    mode=ExecutionMode(), trigger=Trigger.MANUAL, requested_by=f"caller-{number}", idempotency_key="k",
                )  # fmt: skip
            except Unavailable:
                self.kernel.pause(1.0)
                continue
            except Crash:
                return
            self.acknowledged.add(made.run.id)
            return

    def _by_schedule(self, chance: random.Random) -> int:
        times = chance.randint(1, 3)
        for hour in range(times):
            message = FireSchedule("d", to_iso(self.kernel.clock.now() + 3600 * hour))
            for _ in range(chance.randint(1, 5)):
                self.kernel.at(chance.uniform(0, 90), lambda message=message: self.kernel.to_control(message))
        return times

    def _judge(self) -> None:
        runs = self.kernel.inner.runs.list_runs(limit=100, where=EVERY_RUN).items
        if len(self.acknowledged) > 1:
            self.problems.append(f"I9: one key, and {len(self.acknowledged)} runs were acknowledged")
        lost = self.acknowledged - {run.id for run in runs}
        if lost:
            self.problems.append(f"I1: acknowledged, and not there: {lost}")
        gone = self.kernel.given_up + self.kernel.hit["crash"]  # nobody who asked may be left
        if len(runs) > self.expected or (len(runs) < self.expected and not gone):
            self.problems.append(f"I9, I10: {len(runs)} runs, expected {self.expected}")
        self.problems += [f"I1: {run.id} is {run.status} at quiet" for run in runs if not run.status.is_final]
        excused = Status.FAILED if self.kernel.given_up else None
        self.problems += [
            f"I1: {run.id} is {run.status}: {run.problem}"
            for run in runs
            if run.status not in (Status.SUCCEEDED, excused)
        ]
        self.problems += self.kernel.observer.problems


def wrong_submissions(seed: int, **planted: Any) -> list[str]:
    return Submissions(seed, **planted).problems
