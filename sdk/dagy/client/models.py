"""Every request and response of the API, once: the server decodes and encodes these, the client returns them.

Field names are a contract. Requests refuse unknown fields, so that a typo is an error and not a setting that
was silently ignored; responses may gain fields, so clients ignore those they do not know. Times are ISO 8601,
UTC, ending in `Z`.
"""

from __future__ import annotations

from typing import Annotated, Any, Dict, List, Optional, Union

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


class FlowSpecModel(msgspec.Struct, kw_only=True):
    """A flow as it was traced. Fields that a newer Dagy added are kept and shown, not refused."""

    name: str
    version: str
    created_at: str
    tasks: Dict[str, Dict[str, Any]]
    task_runs: List[Dict[str, Any]]
    edges: List[List[str]]
    parameters: List[Dict[str, Any]]
    outputs: Any = None


Spec = Annotated[Dict[str, Any], msgspec.Meta(extra_json_schema={"$ref": "#/components/schemas/FlowSpecModel"})]


class FlowRegisterRequest(Request):
    """Register a flow version; the same pair of name and version again replaces it.

    With `deployment_name`, that deployment is created too, or moved to this version, keeping its other settings.
    """

    flow_spec: Spec
    artifact: ArtifactModel
    code_hash: Optional[str] = None
    namespace: Optional[str] = None
    tags: Optional[Tags] = None
    deployment_name: Optional[str] = None


class FlowModel(Response):
    """What every answer says of a flow version."""

    flow_name: str
    flow_version: str
    namespace: Optional[str]
    tags: Optional[Tags]
    code_hash: Optional[str]
    created_at: str
    updated_at: str


class FlowRegisterResponse(FlowModel):
    deployment_name: Optional[str]
    deployment_version: Optional[int]


class FlowListItem(FlowModel):
    task_count: int
    artifact_s3_uri: str


class FlowDetailResponse(FlowModel):
    flow_spec: Spec
    parameters: List[Dict[str, Any]]
    artifact_s3_uri: str
    artifact_sha256: str
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
    max_concurrent_runs: Optional[int] = None


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
    max_concurrent_runs: Union[int, msgspec.UnsetType, None] = msgspec.UNSET
    deployment_version: Union[int, msgspec.UnsetType] = msgspec.UNSET


class DeploymentModel(Response):
    """A deployment at one of its versions."""

    name: str
    flow_name: str
    flow_version: str
    deployment_version: int
    status: str
    execution_mode: str  # the size
    isolation: str
    schedule: Optional[str]
    timezone: Optional[str]
    default_executor: Optional[str]
    parameters: Dict[str, Any]
    tags: Tags
    packages: List[str]
    created_at: str
    updated_at: str
    max_concurrent_runs: Optional[int] = None
    artifact_sha256: Optional[str] = None  # of the flow's artifact when this version was written
    updated_by: Optional[str] = None


class DeploymentResponse(DeploymentModel):
    next_fire_times: List[str] = []  # the next three, UTC; empty without a schedule or when paused


class DeploymentListResponse(Response):
    items: List[DeploymentResponse]
    next_cursor: Optional[str] = None


class DeploymentVersionListResponse(Response):
    """The newest first."""

    items: List[DeploymentModel]
    next_cursor: Optional[str] = None


class RollbackRequest(Request):
    """Null: the newest earlier version that ran other code."""

    deployment_version: Optional[int] = None


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
    packages: List[str] = []  # the slugs of the dependency packages it was submitted with
    retry_of: Optional[str] = None  # the run whose results it keeps, as far as code and arguments are the same


class RunListResponse(Response):
    items: List[RunResponse]
    next_cursor: Optional[str] = None


class RunBulkItem(Request):
    """What differs from run to run."""

    parameters: Dict[str, Any] = {}
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
    statuses: List[str] = []
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


class DeadLetterModel(Response):
    """A message that AWS gave up on. In lists without the message itself."""

    id: str
    at: str
    kind: Optional[str]  # of message; null when this stage knows none of that name
    reason: str
    run_id: Optional[str]  # whom it was for
    deployment: Optional[str]  # of a message that was to start a run
    replayed_at: Optional[str]
    replayed_by: Optional[str]
    replayed_as: Optional[str]  # the run that came of it


class DeadLetterResponse(DeadLetterModel):
    message: Dict[str, Any]


class DeadLetterListResponse(Response):
    """A page may be short, or empty, with a cursor: then what was looked at did not match."""

    items: List[DeadLetterModel]
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


# --- drafts -------------------------------------------------------------------------------------------------


class DagDraftCreateRequest(Request):
    """A pipeline that is being drawn. `canvas_json` is JSON text that only the canvas understands."""

    name: str
    canvas_json: str
    tags: Optional[Tags] = None


class DagDraftUpdateRequest(Request):
    """What is absent stays. With `version`, the change is refused when somebody else changed the draft since."""

    name: Optional[str] = None
    canvas_json: Optional[str] = None
    tags: Optional[Tags] = None
    version: Optional[int] = None


class DagDraftModel(Response):
    """`version` counts the draft's changes, from 1."""

    draft_id: str
    name: str
    tags: Optional[Tags]
    version: int
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str


class DagDraftResponse(DagDraftModel):
    canvas_json: str


class DagDraftListResponse(Response):
    """Newest first, without their canvases."""

    items: List[DagDraftModel]
    next_cursor: Optional[str] = None


# --- dependency packages ------------------------------------------------------------------------------------


class PlatformModel(Response):
    """What compiled modules must run on: `system` is `lambda`, or the operating system that the local cloud runs on."""

    system: str
    architecture: str
    python_version: str


class PackageRegisterRequest(Request):
    """Register a package that was uploaded to `packages/<slug>.zip` of the stage's bucket. `sha256` is that of the zip.

    The same contents again change nothing but the name.
    """

    name: str
    bucket: str
    key: str
    sha256: str


class PackageResponse(Response):
    slug: str
    name: str
    platform: PlatformModel
    distributions: Dict[str, str]  # versions by name
    modules: List[str]  # the top-level names that can be imported from it
    size_bytes: int
    unpacked_bytes: int
    file_count: int
    sha256: str
    contents_sha256: str  # the same for the same contents, however they were zipped; the slug is made of it
    artifact_s3_uri: str
    created_at: str
    created_by: str
    artifact_exists: Optional[bool] = None  # false: create it again; null: not known
    bytecode: Optional[str] = None  # what its modules are compiled for, such as cpython-313; null: not compiled


class PackageListResponse(Response):
    items: List[PackageResponse]
    next_cursor: Optional[str] = None


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


# --- users and the audit log ---------------------------------------------------------------------------------


class UserInviteRequest(Request):
    """`sends_email` false: the answer holds the temporary password, to be handed over some other way."""

    email: str
    role: str = "viewer"
    sends_email: bool = True


class UserRoleRequest(Request):
    role: str


class UserResponse(Response):
    """`role` null: in no group of the pool, so not let in. `status` is Cognito's, `FORCE_CHANGE_PASSWORD` until the
    first sign-in.
    """

    id: str
    email: str
    role: Optional[str]
    is_enabled: bool
    status: str
    created_at: str


class UserInvitedResponse(UserResponse):
    temporary_password: Optional[str] = None  # shown here and never again


class UserListResponse(Response):
    items: List[UserResponse]
    next_cursor: Optional[str] = None


class AuditEntryResponse(Response):
    id: str
    at: str
    actor_kind: str  # `key`, `user` or `aws`
    actor_id: str
    actor_name: str
    action: str
    resource: str
    request_id: str


class AuditListResponse(Response):
    """A page may be short, or empty, with a cursor: then what was looked at did not match."""

    items: List[AuditEntryResponse]
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
    has_run_limits: bool = False
    platform: Optional[PlatformModel] = None  # what dependency packages are built for


class OpenApiResponse(Response):
    """The API described in OpenAPI 3.1."""

    openapi: str
    info: Dict[str, Any]
    paths: Dict[str, Any]
    components: Dict[str, Any]
    security: List[Dict[str, List[str]]]


class HealthResponse(Response):
    status: str
    version: str
    stage: str
