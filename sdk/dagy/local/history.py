"""What became of a run, worked out from its journal. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import msgspec

from dagy.core.states import FINAL, Status
from dagy.local import events as ev

INTERRUPTED: Final = "Interrupted"
"""`error_type` of a run, and of its tasks, whose process ended without saying so."""


class StoredResult(msgspec.Struct, frozen=True):
    """`path` is relative to the root of the local state."""

    codec: str
    size_bytes: int
    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class LocalRun:
    """One local run. Times are ISO 8601, UTC, milliseconds, ending in `Z`; `parameters` JSON, tagged as
    `dagy.core.refs` says; `task_counts` by status, without the zeros. Of a resumed run, `duration_s` does not count
    the time in between.
    """

    id: str
    flow_name: str
    flow_version: str
    status: Status
    started_at: str
    parameters: Any
    fail_fast: bool
    max_workers: int
    task_counts: dict[str, int]
    ended_at: str | None = None
    duration_s: float | None = None
    error_type: str | None = None
    message: str | None = None
    traceback: str | None = None
    result: StoredResult | None = None


class LocalTaskRun(msgspec.Struct, frozen=True):
    """One task of a local run. `attempt` is 0 when it never started; `duration_s` is of the last attempt that ended.
    `message` also says why a task was skipped or cancelled, or why it is tried again.

    A struct, because runs make thousands: a frozen dataclass of so many fields takes ten times as long to make.
    """

    run_id: str
    id: str
    task_name: str
    position: int
    depends_on: tuple[str, ...]
    status: Status = Status.PENDING
    attempt: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    peak_mib: float | None = None
    error_type: str | None = None
    message: str | None = None
    traceback: str | None = None
    result: StoredResult | None = None


@dataclass(frozen=True, slots=True)
class RunHistory:
    """A run and its tasks, in the flow's order. `unwritten` holds the small results that are only in the journal so
    far, by their path.
    """

    run: LocalRun
    task_runs: tuple[LocalTaskRun, ...]
    unwritten: Mapping[str, bytes] = field(default_factory=dict)
    was_resumed: bool = False


def history_of(events: Sequence[ev.Event], *, is_abandoned: bool) -> RunHistory | None:
    """None when the journal does not even say which run it is of.

    A run that `is_abandoned` (nobody writes its journal any more) without having ended was interrupted: it FAILED,
    so did what was running, and the rest is cancelled.
    """
    if not events or not isinstance(events[0], ev.RunStarted):
        return None
    history = GrowingHistory(events[0])
    for event in events[1:]:
        history.apply(event)
    if is_abandoned and not history.has_ended:
        history.interrupt(at=events[-1].at)
    return history.so_far()


def timestamp(at_s: float) -> str:
    """Seconds since the epoch as `2026-03-04T12:00:00.123Z`."""
    milliseconds = int(at_s * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(at_s: int) -> str:
    """Thousands of records fall into one second."""
    return dt.datetime.fromtimestamp(at_s, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


class GrowingHistory:
    """A run's history while events still come. Events of different tasks may be applied by several threads at once.

    Task runs are dicts of their fields until somebody asks: a frozen value for each event would cost most of the
    time that keeping records takes.
    """

    def __init__(self, started: ev.RunStarted) -> None:
        self._started = started
        self._execution: ev.RunStarted | ev.RunResumed = started
        self._earlier_s = 0.0  # how long earlier executions took
        self._end: ev.RunEnded | None = None
        self._unwritten: dict[str, bytes] = {}
        self._made: dict[str, LocalTaskRun] = {}  # of those that are final
        self._fields: dict[str, dict[str, Any]] = {
            task.id: _planned(task, position, started.run_id) for position, task in enumerate(started.tasks)
        }

    @property
    def has_ended(self) -> bool:
        return self._end is not None

    def so_far(self) -> RunHistory:
        task_runs = tuple(map(self.task_run, self._fields))
        run = _run(self._started, self._execution, self._end, task_runs, earlier_s=self._earlier_s)
        return RunHistory(run, task_runs, dict(self._unwritten), self._execution is not self._started)

    def task_run(self, id: str) -> LocalTaskRun:
        made = self._made.get(id)
        if made is not None:
            return made
        fields = dict(self._fields[id])
        for name in ("started_at", "ended_at"):
            if name in fields:
                fields[name] = timestamp(fields[name])
        made = LocalTaskRun(**fields)
        if made.status in FINAL:
            self._made[id] = made
        return made

    def unwritten(self, path: str) -> bytes | None:
        """A small result that is only in the journal so far."""
        return self._unwritten.get(path)

    def written(self, path: str) -> None:
        self._unwritten.pop(path, None)

    def apply(self, event: ev.Event) -> None:
        """What comes after a final status is late news of an attempt that was given up; it changes nothing."""
        if isinstance(event, ev.RunEnded):
            self._end = event
            self._end_tasks(at=event.at, error_type=event.error_type, why="the run ended")
            if event.artifact is not None and event.data is not None:
                self._unwritten[event.artifact] = event.data
        elif isinstance(event, ev.RunResumed):
            self._resume(event)
        elif not isinstance(event, ev.RunStarted):
            fields = self._fields.get(event.id)
            if fields is not None and fields["status"] not in FINAL:
                self._apply_to_task(fields, event)

    def interrupt(self, *, at: float) -> None:
        self._end = interruption(at=at)
        self._end_tasks(at=at, error_type=INTERRUPTED, why="interrupted: its process ended")

    def _end_tasks(self, *, at: float, error_type: str | None, why: str) -> None:
        """Those of which nobody said how they ended: their run was cut off, or could not be recorded any more."""
        for fields in self._fields.values():
            if fields["status"] is Status.RUNNING:
                message = f"{why} while it ran"
                fields |= {"status": Status.FAILED, "ended_at": at, "error_type": error_type, "message": message}
            elif fields["status"] not in FINAL:
                fields |= {"status": Status.CANCELLED, "ended_at": at, "message": why}

    def _resume(self, event: ev.RunResumed) -> None:
        """The attempts of tasks that run again are counted on. A run is resumed when all its files are written."""
        if self._end is not None:
            self._earlier_s += max(0.0, self._end.at - self._execution.at)
        self._execution, self._end = event, None
        self._unwritten.clear()
        self._made.clear()
        before, self._fields, kept = self._fields, {}, frozenset(event.kept)
        for position, task in enumerate(event.tasks):
            fields = _planned(task, position, self._started.run_id)
            if task.id in kept:
                fields = before[task.id] | {"position": position, "depends_on": fields["depends_on"]}
            elif task.id in before:
                fields["attempt"] = before[task.id].get("attempt", 0)
            self._fields[task.id] = fields

    def _apply_to_task(self, fields: dict[str, Any], event: ev.TaskEvent) -> None:
        if isinstance(event, ev.TaskSucceeded):
            _end_attempt(fields, Status.SUCCEEDED, event)
            fields["result"] = StoredResult(event.codec, event.size_bytes, event.sha256, event.artifact)
            if event.data is not None:
                self._unwritten[event.artifact] = event.data
        elif isinstance(event, ev.TaskStarted):
            fields |= {"status": Status.RUNNING, "attempt": event.attempt, "error_type": None, "message": None}
            fields.setdefault("started_at", event.at)
        elif isinstance(event, ev.TaskRetrying):
            fields |= {"status": Status.PENDING, "error_type": event.error_type, "message": event.message}
        elif isinstance(event, ev.TaskFailed):
            _end_attempt(fields, Status.FAILED, event)
            fields |= {"error_type": event.error_type, "message": event.message, "traceback": event.traceback or None}
        else:
            status = Status.SKIPPED if isinstance(event, ev.TaskSkipped) else Status.CANCELLED
            fields |= {"status": status, "ended_at": event.at, "message": event.reason}


def _planned(task: ev.PlannedTask, position: int, run_id: str) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "id": task.id,
        "task_name": task.task_name,
        "position": position,
        "depends_on": tuple(task.depends_on),
        "status": Status.PENDING,
    }


def _end_attempt(fields: dict[str, Any], status: Status, event: ev.TaskSucceeded | ev.TaskFailed) -> None:
    fields["status"] = status
    fields["attempt"] = event.attempt
    fields["ended_at"] = event.at
    fields["duration_s"] = event.duration_s
    fields["cpu_s"] = event.cpu_s
    fields["peak_mib"] = event.peak_mib


def interruption(*, at: float) -> ev.RunEnded:
    """The end of a run that could not write it."""
    message = "interrupted: its process ended without a word (killed, or the machine went down)"
    return ev.RunEnded(at=at, status=Status.FAILED.value, error_type=INTERRUPTED, message=message)


def _run(
    started: ev.RunStarted,
    execution: ev.RunStarted | ev.RunResumed,
    end: ev.RunEnded | None,
    tasks: Sequence[LocalTaskRun],
    *,
    earlier_s: float,
) -> LocalRun:
    counts = Counter(task.status.value for task in tasks)
    run = LocalRun(
        id=started.run_id,
        flow_name=started.flow_name,
        flow_version=execution.flow_version,
        status=Status.RUNNING,
        started_at=timestamp(started.at),
        parameters=started.parameters,
        fail_fast=execution.fail_fast,
        max_workers=execution.max_workers,
        task_counts=dict(counts),
    )
    if end is None:
        return run
    return replace(
        run,
        status=Status(end.status),
        ended_at=timestamp(end.at),
        duration_s=earlier_s + max(0.0, end.at - execution.at),
        error_type=end.error_type,
        message=end.message,
        traceback=end.traceback or None,
        result=_stored(end),
    )


def _stored(end: ev.RunEnded) -> StoredResult | None:
    if end.codec is None or end.size_bytes is None or end.sha256 is None or end.artifact is None:
        return None
    return StoredResult(end.codec, end.size_bytes, end.sha256, end.artifact)
