"""Every request and response of the API, once: the server decodes and encodes these, the client returns them.

Field names are a contract. Requests refuse unknown fields, so that a typo is an error and not a setting that
was silently ignored; responses may gain fields, so clients ignore those they do not know. Times are ISO 8601,
UTC, ending in `Z`.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import msgspec

Tags = Dict[str, str]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something a caller sends."""


class Response(msgspec.Struct, kw_only=True):
    """Something the API answers."""


# --- errors -------------------------------------------------------------------------------------------------


class ErrorDetail(Response):
    code: str
    message: str
    hint: Optional[str] = None
    request_id: Optional[str] = None


class ErrorBody(Response):
    """Every answer with a status of 400 or more."""

    error: ErrorDetail


# --- flows --------------------------------------------------------------------------------------------------


class ArtifactModel(Request):
    """Where the artifact was uploaded. `sha256` is the hex digest of the zip, `version_id` the S3 version of
    the upload.
    """

    bucket: str
    key: str
    sha256: str
    version_id: Optional[str] = None


class FlowRegisterRequest(Request):
    """Register a flow version; the same pair of name and version again replaces it.

    With `deployment_name`, that deployment is created too, or moved to this version, keeping its other settings.
    """

    flow_spec: Dict[str, Any]
    artifact: ArtifactModel
    code_hash: Optional[str] = None
    namespace: Optional[str] = None
    tags: Optional[Tags] = None
    deployment_name: Optional[str] = None


class FlowRegisterResponse(Response):
    flow_name: str
    flow_version: str
    namespace: Optional[str]
    tags: Optional[Tags]
    code_hash: Optional[str]
    deployment_name: Optional[str]
    deployment_version: Optional[int]
    created_at: str
    updated_at: str


class FlowListItem(Response):
    flow_name: str
    flow_version: str
    namespace: Optional[str]
    tags: Optional[Tags]
    code_hash: Optional[str]
    task_count: int
    artifact_s3_uri: str
    created_at: str
    updated_at: str


class FlowDetailResponse(Response):
    flow_name: str
    flow_version: str
    namespace: Optional[str]
    tags: Optional[Tags]
    code_hash: Optional[str]
    flow_spec: Dict[str, Any]
    parameters: List[Dict[str, Any]]
    artifact_s3_uri: str
    artifact_sha256: str
    created_at: str
    updated_at: str
    artifact_version_id: Optional[str] = None
    artifact_exists: Optional[bool] = None  # false: no run can start before it is deployed again; null: not known


class FlowListResponse(Response):
    items: List[FlowListItem]
    next_cursor: Optional[str] = None


# --- deployments --------------------------------------------------------------------------------------------


class DeploymentRequest(Request):
    """Create a deployment, or replace the settings given here of the one with that name.

    `execution_mode` takes a size, an isolation, or a list with one of each. `schedule` is a cron expression of
    five fields, `rate(...)` or `at(...)`; null or absent means none. `status` is ACTIVE or PAUSED.
    """

    name: str
    flow_name: str
    flow_version: str
    schedule: Optional[str] = None
    timezone: Optional[str] = None
    status: Optional[str] = None
    execution_mode: Union[str, List[str], None] = None
    isolation: Optional[str] = None
    default_executor: Optional[str] = None
    parameters: Optional[Dict[str, Any]] = None
    tags: Optional[Tags] = None
    packages: Optional[List[str]] = None


class DeploymentSettingsRequest(Request):
    """Change settings; those absent stay, null clears one that can be empty.

    With `deployment_version`, the change is refused when somebody else changed the deployment since.
    """

    schedule: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    timezone: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    status: Union[str, msgspec.UnsetType] = msgspec.UNSET
    execution_mode: Union[str, List[str], msgspec.UnsetType] = msgspec.UNSET
    isolation: Union[str, msgspec.UnsetType] = msgspec.UNSET
    default_executor: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    parameters: Union[Dict[str, Any], msgspec.UnsetType, None] = msgspec.UNSET
    tags: Union[Tags, msgspec.UnsetType, None] = msgspec.UNSET
    packages: Union[List[str], msgspec.UnsetType, None] = msgspec.UNSET
    deployment_version: Union[int, msgspec.UnsetType] = msgspec.UNSET


class DeploymentResponse(Response):
    name: str
    flow_name: str
    flow_version: str
    deployment_version: int
    status: str
    execution_mode: str  # the size
    isolation: str
    schedule: Optional[str]
    timezone: Optional[str]
    next_fire_times: List[str]  # the next three, UTC; empty without a schedule or when paused
    default_executor: Optional[str]
    parameters: Dict[str, Any]
    tags: Tags
    packages: List[str]
    created_at: str
    updated_at: str


class DeploymentListResponse(Response):
    items: List[DeploymentResponse]
    next_cursor: Optional[str] = None


# --- runs ---------------------------------------------------------------------------------------------------


class RunRequest(Request):
    """Start a run: of a deployment, or of a flow and version. The header `Idempotency-Key` makes repeats safe."""

    deployment: Optional[str] = None
    flow_name: Optional[str] = None
    flow_version: Optional[str] = None
    parameters: Dict[str, Any] = {}
    execution_mode: Union[str, List[str], None] = None
    fail_fast: bool = True
    max_workers: int = 1
    tags: Optional[Tags] = None


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


class RunListResponse(Response):
    items: List[RunResponse]
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


# --- keys and identity --------------------------------------------------------------------------------------


class KeyCreateRequest(Request):
    """`expires_in_days` null means it never expires."""

    name: str
    role: str = "developer"
    expires_in_days: Optional[int] = 90


class KeyResponse(Response):
    id: str
    name: str
    role: str
    created_at: str
    created_by: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    warning: Optional[str] = None  # what the caller should know about the change just made


class KeyCreatedResponse(Response):
    """`key` is shown here and never again."""

    key: str
    id: str
    name: str
    role: str
    expires_at: Optional[str]


class KeyListResponse(Response):
    items: List[KeyResponse]
    next_cursor: Optional[str] = None


class WhoamiResponse(Response):
    kind: str  # `key` or `user`
    id: str
    name: str
    role: str
    expires_at: Optional[str]
    stage: str


class StageResponse(Response):
    """What the stage can carry out. A setting that is not among these is refused."""

    stage: str
    version: str
    sizes: List[str]
    isolations: List[str]
    executors: List[str]
    has_packages: bool
    max_artifact_bytes: int


class HealthResponse(Response):
    status: str
    version: str
    stage: str
