"""What a run's journal holds: one JSON object a line, in the order things happened.

Times are seconds since the epoch. Fields may be added; readers ignore those they do not know.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import msgspec

from dagy.core.task_code import TaskCode


class _Event(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="event", tag=str.lower, frozen=True):
    at: float


class PlannedTask(msgspec.Struct, array_like=True, frozen=True):
    """`arguments` is what `dagy.local.arguments` makes of them."""

    id: str
    task_name: str
    depends_on: List[str]
    arguments: str = ""


class StoredValue(msgspec.Struct, frozen=True):
    codec: str
    data: bytes
    sha256: str


class _ExecutionStarted(_Event, kw_only=True, frozen=True):
    """`pid` is the process that writes from here on. `target` is where the flow stands, as `path:name`. `code` is the
    tasks' code, by their names.
    """

    flow_version: str
    fail_fast: bool
    max_workers: int
    tasks: List[PlannedTask]
    pid: int = 0
    target: str = ""
    code: Dict[str, TaskCode] = {}


class RunStarted(_ExecutionStarted, kw_only=True, frozen=True):
    """Always the first. `parameters` are JSON for people, tagged as `dagy.core.refs` says; `given` has the values
    themselves, if they can be stored.
    """

    run_id: str
    flow_name: str
    parameters: Any
    given: Optional[StoredValue] = None


class RunResumed(_ExecutionStarted, kw_only=True, frozen=True):
    """Comes after a `RunEnded`, and takes it back. `kept` are the tasks whose results stay; what came before about all
    others does not count any more. `again` says of those why they run.
    """

    kept: List[str]
    again: Dict[str, str]


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
    """Always the last, unless the run was resumed; absent from the journal of a run that was cut off."""

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
Event = Union[
    RunStarted, RunResumed, TaskStarted, TaskSucceeded, TaskRetrying, TaskFailed, TaskSkipped, TaskCancelled, RunEnded
]
