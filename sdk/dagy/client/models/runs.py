"""Runs, their tasks, events, logs and results."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import msgspec

from dagy.client.models.base import Request, Response, Tags


class RunRequest(Request):
    """Start a run: of a deployment, or of a flow and version. The header `Idempotency-Key` makes repeats safe."""

    deployment: Optional[str] = None
    flow_name: Optional[str] = None
    flow_version: Optional[str] = None
    parameters: Dict[str, Any] = msgspec.field(default_factory=dict)
    execution_mode: Union[str, List[str], None] = None
    fail_fast: bool = True
    max_workers: int = 1
    tags: Optional[Tags] = None
    retry_of: Optional[str] = None  # a run of the same flow that did not succeed: keep what it has done


class ProblemModel(Response):
    error_type: str
    message: str
    traceback: str = ""


class RunResponse(Response):
    run_id: str
    status: str
    flow_name: str
    flow_version: str
    deployment: Optional[str]
    execution_mode: str  # the size
    isolation: str
    parameters: Dict[str, Any]
    trigger: str
    tags: Tags
    requested_by: Optional[str]
    artifact_sha256: str
    created_at: str
    scheduled_at: Optional[str]
    started_at: Optional[str]
    ended_at: Optional[str]
    duration_s: Optional[float]
    invocations: int
    error: Optional[ProblemModel]
    result: Optional[Any] = None  # the flow's return value, when it is JSON of at most 32 KiB
    result_codec: Optional[str] = None  # how the result is stored; null when there is none
    result_size_bytes: Optional[int] = None
    result_url: Optional[str] = None  # where to download it otherwise, for 15 minutes; only GET of one run gives it
    packages: List[str] = msgspec.field(default_factory=list)  # slugs of what it was submitted with
    retry_of: Optional[str] = None  # the run whose results it keeps, as far as code and arguments are the same


class RunListResponse(Response):
    items: List[RunResponse]
    next_cursor: Optional[str] = None


class RunBulkItem(Request):
    """What differs from run to run."""

    parameters: Dict[str, Any] = msgspec.field(default_factory=dict)
    tags: Optional[Tags] = None


class RunBulkRequest(Request):
    """Start up to 100 runs that differ in their parameters. All are checked before the first is started. With an
    `Idempotency-Key`, a repeat goes on where the request before stopped, and starts none twice.
    """

    items: List[RunBulkItem]
    deployment: Optional[str] = None
    flow_name: Optional[str] = None
    flow_version: Optional[str] = None
    execution_mode: Union[str, List[str], None] = None
    fail_fast: bool = True
    max_workers: int = 1


class RunBulkResponse(Response):
    """In the order of the items."""

    run_ids: List[str]
    total: int


class RunCancelRequest(Request):
    """Ask for the end of the runs of a flow or a deployment, a page at a time: with `next_cursor` as `cursor` again
    until it is null. Without statuses: all that have not ended. Neither bound of time is included.
    """

    flow_name: Optional[str] = None
    deployment: Optional[str] = None
    statuses: List[str] = msgspec.field(default_factory=list)
    after: Optional[str] = None
    before: Optional[str] = None
    dry_run: bool = False
    cursor: Optional[str] = None


class RunCancelResponse(Response):
    """The runs that were asked to end; with `dry_run`, that would be."""

    run_ids: List[str]
    total: int
    dry_run: bool
    next_cursor: Optional[str] = None


class TaskRunResponse(Response):
    task_run_id: str
    task_name: str
    status: str
    attempt: int
    depends_on: List[str]
    started_at: Optional[str]
    ended_at: Optional[str]
    duration_s: Optional[float]
    cpu_s: Optional[float]
    peak_mib: Optional[float]
    error: Optional[ProblemModel]
    result: Optional[Any] = None  # when it is JSON of at most 32 KiB
    result_codec: Optional[str] = None
    result_size_bytes: Optional[int] = None


class TaskRunListResponse(Response):
    items: List[TaskRunResponse]
    next_cursor: Optional[str] = None


class EventResponse(Response):
    id: str
    at: str
    type: str
    task_run_id: Optional[str]
    attempt: Optional[int]
    data: Dict[str, Any]


class EventListResponse(Response):
    items: List[EventResponse]
    next_cursor: Optional[str] = None


class LogLine(Response):
    at: str
    task_run_id: Optional[str]
    stream: str
    line: str


class LogResponse(Response):
    """`next_cursor` is always set: pass it as `after` to get what has come since. `is_complete`: the run is
    final and all its lines have been given.
    """

    items: List[LogLine]
    next_cursor: str
    is_complete: bool


class ResultResponse(Response):
    """`value` for JSON results of at most 1 MiB, otherwise `url`, good for 15 minutes; a `data:` URL when the
    result is so small that it has no object of its own.
    """

    codec: str
    size_bytes: int
    sha256: str
    value: Optional[Any] = None
    url: Optional[str] = None
