"""What a run's journal holds: one JSON object a line, in the order things happened.

Times are seconds since the epoch. Fields may be added; readers ignore those they do not know.
"""

from __future__ import annotations

from typing import Any, List, Optional, Union

import msgspec


class _Event(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="event", tag=str.lower, frozen=True):
    at: float


class PlannedTask(msgspec.Struct, array_like=True, frozen=True):
    id: str
    task_name: str
    depends_on: List[str]


class RunStarted(_Event, frozen=True):
    """Always the first. `parameters` are JSON, tagged as `dagy.core.refs` says."""

    run_id: str
    flow_name: str
    flow_version: str
    parameters: Any
    fail_fast: bool
    max_workers: int
    tasks: List[PlannedTask]


class TaskStarted(_Event, frozen=True):
    id: str
    attempt: int


class TaskSucceeded(_Event, frozen=True):
    """`artifact` is the path of the result's file, relative to the root. A small result comes along in `data`, and its
    file is written when the run is settled: thousands of files written by several threads at once cost more than
    anything else in a run of small tasks. A large one has its file already.
    """

    id: str
    attempt: int
    duration_s: float
    cpu_s: float
    peak_mib: float
    codec: str
    size_bytes: int
    sha256: str
    artifact: str
    data: Optional[bytes] = None


class TaskRetrying(_Event, frozen=True):
    id: str
    attempt: int
    delay_s: float
    error_type: str
    message: str


class TaskFailed(_Event, frozen=True):
    id: str
    attempt: int
    duration_s: float
    cpu_s: float
    peak_mib: float
    error_type: str
    message: str
    traceback: str = ""


class TaskSkipped(_Event, frozen=True):
    id: str
    reason: str


class TaskCancelled(_Event, frozen=True):
    id: str
    reason: str


class RunEnded(_Event, frozen=True):
    """Always the last; absent from the journal of a run that was cut off."""

    status: str
    error_type: Optional[str] = None
    message: Optional[str] = None
    traceback: str = ""
    codec: Optional[str] = None
    size_bytes: Optional[int] = None
    sha256: Optional[str] = None
    artifact: Optional[str] = None
    data: Optional[bytes] = None


TaskEvent = Union[TaskStarted, TaskSucceeded, TaskRetrying, TaskFailed, TaskSkipped, TaskCancelled]
Event = Union[RunStarted, TaskStarted, TaskSucceeded, TaskRetrying, TaskFailed, TaskSkipped, TaskCancelled, RunEnded]
