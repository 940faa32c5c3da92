"""The recorder of runs in memory: it keeps everything and writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagy.authoring import TaskCall
from dagy.core.states import Status
from dagy.execution.recorder import Failure, Measured
from dagy.results import Encoded
from dagy.testing.clock import FakeClock


@dataclass(slots=True)
class TryFacts:
    started_at_s: float
    ended_at_s: float | None = None
    failure: Failure | None = None
    delay_s: float | None = None  # until the next


@dataclass(slots=True)
class TaskFacts:
    """`reason` says why it was skipped or cancelled, `arguments` are those of its last attempt."""

    status: Status = Status.PENDING
    tries: dict[int, TryFacts] = field(default_factory=dict)
    result: Encoded | None = None
    reason: str | None = None
    arguments: Mapping[str, Any] | None = None


class MemoryRecorder:
    """Of one run. `lines` are (task run id or None, stream, text), in the order they were said."""

    def __init__(self, calls: Mapping[str, TaskCall], clock: FakeClock) -> None:
        self.tasks = {id: TaskFacts() for id in calls}
        self.lines: list[tuple[str | None, str, str]] = []
        self._calls = calls
        self._clock = clock
        self._lock = threading.Lock()

    def note_arguments(self, task_run_id: str, arguments: Mapping[str, Any]) -> None:
        self.tasks[task_run_id].arguments = arguments

    def task_started(self, task_run_id: str, *, attempt: int) -> None:
        facts = self.tasks[task_run_id]
        with self._lock:
            if attempt in facts.tries:
                return
            facts.tries[attempt] = TryFacts(self._clock.now_s)
            facts.status = Status.RUNNING
        self._clock.began(task_run_id, timeout_s=self._calls[task_run_id].task.timeout_seconds)

    def task_succeeded(self, task_run_id: str, *, attempt: int, result: Encoded, measured: Measured) -> None:
        facts = self._ended(task_run_id, attempt, Status.SUCCEEDED)
        facts.result = result

    def task_retrying(self, task_run_id: str, *, attempt: int, failure: Failure, delay_s: float) -> None:
        facts = self._ended(task_run_id, attempt, Status.PENDING).tries[attempt]
        facts.failure, facts.delay_s = failure, delay_s

    def task_failed(self, task_run_id: str, *, attempt: int, failure: Failure, measured: Measured) -> None:
        self._ended(task_run_id, attempt, Status.FAILED).tries[attempt].failure = failure

    def task_skipped(self, task_run_id: str, *, reason: str) -> None:
        self._stopped(task_run_id, Status.SKIPPED, reason)

    def task_cancelled(self, task_run_id: str, *, reason: str) -> None:
        self._stopped(task_run_id, Status.CANCELLED, reason)

    def result_of(self, task_run_id: str) -> Encoded:
        raise KeyError(task_run_id)  # runs in memory have no earlier execution

    def log(self, task_run_id: str | None, stream: str, line: str) -> None:
        self.lines.append((task_run_id, stream, line))

    def _ended(self, task_run_id: str, attempt: int, status: Status) -> TaskFacts:
        facts = self.tasks[task_run_id]
        with self._lock:
            facts.status = status
            of_try = facts.tries[attempt]
            if of_try.ended_at_s is None:
                of_try.ended_at_s = self._clock.now_s
        self._clock.ended(task_run_id)
        return facts

    def _stopped(self, task_run_id: str, status: Status, reason: str) -> None:
        facts = self.tasks[task_run_id]
        facts.status, facts.reason = status, reason
        self._clock.ended(task_run_id)
