"""Played children: they say what real ones say, take their time, and compute with the results that they are given.

A task's value is made of its name and its parents' values, so a result that is missing, foreign or of another attempt
shows in every value after it.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dagy.core.states import Status
from dagy.core.timestamps import to_epoch
from dagy.execution.recorder import Failure, Measured
from dagy_runtime.engine.results import INLINE_BYTES
from dagy_runtime.engine.workshop import Orders
from dagy_runtime.ports import Ports
from dagy_runtime.values import Run
from dagy_runtime.worker import frames as fr
from dagy_runtime.worker.process import Exit

from .kernel import Kernel

MEASURED = Measured(0.1, 0.1, 50.0)


@dataclass(frozen=True)
class Shape:
    """A flow: who waits for whom, how long tasks take, and how often each fails (-1: always) before it succeeds."""

    parents: dict[str, tuple[str, ...]]
    seconds: dict[str, float]
    failures: dict[str, int]
    retries: int = 2
    retry_delay_s: float = 5.0
    limit: int | None = None  # of all its tasks, which share a name
    large: frozenset[str] = frozenset()  # whose results are too large for the table

    def values(self) -> dict[str, str]:
        """What a sequential execution gives."""
        known: dict[str, str] = {}
        for task in self.parents:  # in order: parents come first
            known[task] = self.value_of(task, [known[parent] for parent in self.parents[task]])
        return known

    def value_of(self, id: str, parents: list[str]) -> str:
        value = hashlib.sha256("|".join([id, *parents]).encode()).hexdigest()[:16]
        return value * (INLINE_BYTES // 16) if id in self.large else value

    @property
    def sinks(self) -> list[str]:
        inner = {parent for parents in self.parents.values() for parent in parents}
        return [id for id in self.parents if id not in inner]


@dataclass
class Started:
    """User code of a task began. `ended_at` None: it was killed, or the function died around it."""

    task: str
    at: float
    attempt_id: str | None
    ready_at: float  # when the last of its parents had ended, or what it waited for had passed
    run_id: str = "run-1"
    ended_at: float | None = None


@dataclass
class Workshop:
    """`started` has every start of user code, in order."""

    kernel: Kernel
    shape: Shape
    started: list[Started] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def began_at(self) -> float:
        """The beginning of the world, in seconds since the epoch."""
        return self.kernel.clock.now() - self.kernel.now

    def of(self, ports: Ports) -> Any:
        return _Place(self, ports)


@dataclass
class _Place:
    workshop: Workshop
    ports: Ports

    @contextmanager
    def opened(self, run: Run, *, keep: Any, pulse: Any) -> Iterator[Any]:
        self.workshop.kernel.pause(0.2)
        keep()
        yield _Bench(self.workshop, run)


@dataclass
class _Bench:
    workshop: Workshop
    run: Run
    handover: Any = field(default_factory=lambda: _Folder())
    fetched: tuple[str, ...] = ()

    @contextmanager
    def start(self, orders: Orders) -> Iterator[Any]:
        child = PlayedChild(self.workshop, self.run, orders)
        try:
            yield child
        finally:
            child.kill()


_FOLDER = tempfile.TemporaryDirectory(prefix="dagy-played-")
_NAMES = itertools.count()


class _Folder:
    """Where large results are handed over: this process has one, and what was read is deleted."""

    folder = Path(_FOLDER.name)

    def new_path(self) -> Path:
        return self.folder / str(next(_NAMES))


class PlayedChild:
    """As `ChildProcess`, driven by a generator that says frames and is given the answers."""

    def __init__(self, workshop: Workshop, run: Run, orders: Orders) -> None:
        self._workshop, self._kernel, self._shape, self._run = workshop, workshop.kernel, workshop.shape, run
        self._orders = orders
        self._life = self._live()
        self._next: Any = next(self._life)
        self._answer: Any = None
        self._ready_at = self._kernel.now
        self._running: Started | None = None
        self.exit: Exit | None = None

    def hear(self, timeout_s: float) -> list[Any]:
        if self.exit is not None:
            return []
        if isinstance(self._next, float):  # work
            wait_s = min(timeout_s, self._ready_at - self._kernel.now)
            self._kernel.pause(max(0.0, wait_s))
            if self.exit is None and self._kernel.now >= self._ready_at:
                self._go_on(None)
            return []
        self._kernel.pause(0.001)
        if self.exit is not None:
            return []
        frame, self._next = self._next, None
        if frame is None:
            return []
        if not isinstance(frame, (fr.Planned, fr.TaskSucceeded, fr.ResultWanted)):
            self._go_on(None)
        return [frame]

    def say(self, frame: Any) -> None:
        if isinstance(frame, (fr.Accepted, fr.Refused, fr.ResultGiven)) and self.exit is None:
            self._go_on(frame)

    def kill(self) -> None:
        if self.exit is None:
            self.exit = Exit(None, "SIGKILL", 10.0, 0.1)

    def _go_on(self, answer: Any) -> None:
        try:
            self._next = self._life.send(answer)
        except StopIteration:
            self._next = None
            self.exit = Exit(0, None, 10.0, 0.1)
        if isinstance(self._next, float):
            self._ready_at = self._kernel.now + self._next

    # --- what it lives through ------------------------------------------------------------------------------

    def _live(self) -> Iterator[Any]:
        if self._orders.only_task is not None:
            yield from self._one(self._orders.only_task)
            return
        tasks = tuple(
            fr.PlannedTask(id, id.rpartition("-")[0], parents, self._shape.limit)
            for id, parents in self._shape.parents.items()
        )
        yield 0.1
        answer = yield fr.Planned(1, tasks)
        if isinstance(answer, fr.Refused):
            yield fr.FlowFailed(Failure("PlanChanged", answer.reason))
            return
        if self._orders.is_plan_only:
            yield fr.FlowHandedBack(0.0, 1)
            return
        yield from self._conclude()

    def _conclude(self) -> Iterator[Any]:
        done = self._orders.finished
        if done.failed:
            for id in self._shape.parents:
                if id not in done.failed | done.succeeded | done.skipped:
                    yield fr.TaskCancelled(id, "another failed")
            first = next(id for id in self._shape.parents if id in done.failed)
            yield fr.FlowFailed(Failure("TaskFailedError", "it failed before"), first)
            return
        if done.succeeded != frozenset(self._shape.parents):
            self._workshop.problems.append(f"I2: concluded without {set(self._shape.parents) - done.succeeded}")
        values = []
        for id in self._shape.sinks:
            answer = yield fr.ResultWanted(2, id)
            if isinstance(answer, fr.Refused):
                self._workshop.problems.append(f"I2: the flow has no result of {id}: {answer.reason}")
                return
            values.append(_value(answer))
        yield fr.FlowSucceeded(payload_of("+".join(values)))

    def _one(self, id: str) -> Iterator[Any]:
        parents = self._shape.parents.get(id, ())
        answer = yield fr.Planned(1, (fr.PlannedTask(id, id.rpartition("-")[0], parents, self._shape.limit),))
        if isinstance(answer, fr.Refused):
            yield fr.FlowFailed(Failure("PlanChanged", answer.reason))
            return
        used = dict(self._orders.finished.attempts).get(id, 0)
        self._begin(id, parents)
        yield fr.TaskStarted(id, used + 1)
        values = []
        for parent in parents:
            answer = yield fr.ResultWanted(2, parent)
            if isinstance(answer, fr.Refused):
                self._workshop.problems.append(f"I2: {id} has no result of {parent}: {answer.reason}")
                return
            values.append(_value(answer))
        yield float(self._shape.seconds[id])
        self._end()
        failing = self._shape.failures.get(id, 0)
        if failing == -1 or used < failing:
            failure = Failure("ValueError", "no luck")
            if used < self._shape.retries:
                yield fr.TaskRetrying(id, used + 1, failure, self._shape.retry_delay_s)
                yield fr.FlowHandedBack(self._shape.retry_delay_s, 1)
            else:
                yield fr.TaskFailed(id, used + 1, failure, MEASURED)
                yield fr.FlowFailed(failure, id)
            return
        yield fr.TaskSucceeded(3, id, used + 1, payload_of(self._shape.value_of(id, values)), MEASURED)
        yield fr.FlowSucceeded(None)

    def _begin(self, id: str, parents: tuple[str, ...]) -> None:
        """User code starts here: what must be true of the world now?"""
        if self._kernel.store_of is not None:
            self._workshop.started.append(Started(id, self._kernel.now, None, 0.0))
            return
        get, run_id = self._kernel.inner.runs.get_task, self._run.id
        task = get(run_id, id)
        ready_at = 0.0
        for parent in (get(run_id, parent) for parent in parents):
            if parent.status is not Status.SUCCEEDED:
                self._workshop.problems.append(f"I3: {id} started while {parent.id} was {parent.status}")
            elif parent.result.key is not None and not self._kernel.inner.blobs.exists(parent.result.key):
                self._workshop.problems.append(f"I3: {id} started before the result of {parent.id} was stored")
            else:
                ready_at = max(ready_at, to_epoch(parent.ended_at) - self._workshop.began_at)
        if self._shape.limit is not None:
            self._check_limit(id)
        self._running = Started(id, self._kernel.now, task.attempt_id, ready_at, run_id)
        self._workshop.started.append(self._running)

    def _check_limit(self, id: str) -> None:
        tasks, now = self._kernel.inner.runs.list_tasks(self._run.id, limit=1000).items, self._kernel.clock.now()
        running = sum(task.lease_until is not None and task.lease_until > now for task in tasks)
        if self._shape.limit is not None and running > self._shape.limit:
            self._workshop.problems.append(f"{id} started as number {running} of {self._shape.limit}")

    def _end(self) -> None:
        if self._running is not None:
            self._running.ended_at = self._kernel.now


def payload_of(value: str) -> fr.Payload:
    data = msgspec.json.encode(value)
    return fr.Payload("json", hashlib.sha256(data).hexdigest(), len(data), data=data)


def _value(answer: Any) -> str:
    if answer.result.path is None:
        return str(msgspec.json.decode(answer.result.data))
    path = Path(answer.result.path)
    value = str(msgspec.json.decode(path.read_bytes()))
    path.unlink()
    return value
