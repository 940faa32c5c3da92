"""A recorder that remembers, a clock that only moves when nothing runs, and one call to run a flow with both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest

from dagy.authoring import Flow
from dagy.execution.recorder import Control, Failure, Finished, Measured, Outcome, RunOptions
from dagy.execution.runner import run_flow
from dagy.execution.timing import Timing, wait_for_message
from dagy.results import Encoded, decode


@dataclass
class Notes:
    """Everything the runner told, in order."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[str | None, str, str]] = field(default_factory=list)
    results: dict[str, Encoded] = field(default_factory=dict)
    earlier: dict[str, Encoded] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    on_started: Callable[[str], None] = lambda id: None
    on_succeeded: Callable[[str], None] = lambda id: None

    def task_started(self, task_run_id: str, *, attempt: int) -> None:
        self.told.append(("started", task_run_id, attempt))
        self.on_started(task_run_id)

    def task_succeeded(self, task_run_id: str, *, attempt: int, result: Encoded, measured: Measured) -> None:
        self.on_succeeded(task_run_id)
        self.told.append(("succeeded", task_run_id, attempt))
        self.results[task_run_id] = result
        self.measured[task_run_id] = measured

    def task_retrying(self, task_run_id: str, *, attempt: int, failure: Failure, delay_s: float) -> None:
        self.told.append(("retrying", task_run_id, attempt, delay_s))
        self.failures[task_run_id] = failure

    def task_failed(self, task_run_id: str, *, attempt: int, failure: Failure, measured: Measured) -> None:
        self.told.append(("failed", task_run_id, attempt))
        self.failures[task_run_id] = failure
        self.measured[task_run_id] = measured

    def task_skipped(self, task_run_id: str, *, reason: str) -> None:
        self.told.append(("skipped", task_run_id, reason))

    def task_cancelled(self, task_run_id: str, *, reason: str) -> None:
        self.told.append(("cancelled", task_run_id, reason))

    def result_of(self, task_run_id: str) -> Encoded:
        return self.earlier[task_run_id]

    def log(self, task_run_id: str | None, stream: str, line: str) -> None:
        self.lines.append((task_run_id, stream, line))

    def ids(self, what: str) -> list[str]:
        return [told[1] for told in self.told if told[0] == what]

    def values(self) -> dict[str, Any]:
        return {id: decode(result) for id, result in self.results.items()}

    def log_of(self, task_run_id: str | None) -> list[str]:
        return [line for id, _, line in self.lines if id == task_run_id]


class FakeTime:
    """Stands still while tasks run; when nothing does, waiting costs no real time."""

    def __init__(self, chance: float = 0.0) -> None:
        self.now_s = 1000.0
        self.waited_s: list[float] = []
        self.timing = Timing(monotonic=lambda: self.now_s, wait=self._wait, chance=lambda: chance)

    def _wait(self, inbox: SimpleQueue[Any], timeout_s: float | None, running_count: int) -> Any | None:
        if running_count or timeout_s is None or not inbox.empty():
            return wait_for_message(inbox, None, running_count)
        self.now_s += timeout_s
        self.waited_s.append(timeout_s)
        return None


@dataclass
class Ran:
    outcome: Outcome
    notes: Notes
    time: FakeTime

    @property
    def value(self) -> Any:
        return decode(self.outcome.output)  # type: ignore[union-attr,arg-type]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def run(notes: Notes) -> Callable[..., Ran]:
    """`run(flow, *args, fail_fast=..., ...)`: `real_time` for timeouts, which need a clock that moves."""

    def run(
        flow: Flow[..., Any],
        *args: Any,
        finished: Finished = Finished(),  # noqa: B008 - frozen
        control: Control | None = None,
        chance: float = 0.0,
        real_time: bool = False,
        timing: Timing | None = None,
        **options: Any,
    ) -> Ran:
        time = FakeTime(chance)
        outcome = run_flow(
            flow.trace(*args),
            notes,
            options=RunOptions(**options),
            finished=finished,
            control=control,
            timing=timing or (Timing() if real_time else time.timing),
        )
        return Ran(outcome, notes, time)

    return run


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Tasks that wait for it are let go at the end, also when the test fails."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="session")
def make_notes() -> type[Notes]:
    """For properties, which need new notes for every example."""
    return Notes
