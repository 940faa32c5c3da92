"""What a stage remembers: flows, deployments, runs, task runs, events, keys. Plain frozen values, the same for
every store.

Times are ISO 8601, UTC, milliseconds, ending in `Z`, so that they sort as text. Durations carry their unit in
their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct, field

from dagy.core.platforms import Platform
from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.spec import FlowSpec
from dagy.core.states import Status


class ArtifactRef(Struct, frozen=True):
    """One exact artifact: these bytes, this S3 version, whatever is uploaded to the same key later."""

    bucket: str
    key: str
    sha256: str
    version_id: str | None = None
    size_bytes: int = 0

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class FlowVersion(Struct, frozen=True):
    """A registered flow. The pair (name, version) is its identity; registering it again replaces the rest."""

    name: str
    version: str
    spec: FlowSpec
    artifact: ArtifactRef
    code_hash: str | None
    namespace: str
    tags: Mapping[str, str]
    created_at: str
    updated_at: str


class DeploymentStatus(str, Enum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"  # its schedule does not fire; runs asked for by hand still start

    __str__ = str.__str__


class ScheduleSpec(Struct, frozen=True):
    """When a deployment runs by itself: a five-field cron expression, or `rate(...)`/`at(...)`, read in an IANA
    time zone.
    """

    expression: str
    timezone: str


class Deployment(Struct, frozen=True):
    """What `dagy run` names: a flow version and how it runs. `deployment_version` counts its changes, from 1."""

    name: str
    flow_name: str
    flow_version: str
    deployment_version: int
    status: DeploymentStatus
    size: Size
    isolation: Isolation
    created_at: str
    updated_at: str
    schedule: ScheduleSpec | None = None
    default_executor: Executor | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # defaults for its runs
    packages: tuple[str, ...] = ()
    max_concurrent_runs: int | None = None
    artifact_sha256: str | None = None  # of the flow version as it was when this was written
    updated_by: str | None = None  # a key id or a user, for people to read


class Package(Struct, frozen=True):
    """A registered dependency package. The slug stands for its contents, so nothing but the name ever changes."""

    slug: str
    name: str
    artifact: ArtifactRef
    contents_sha256: str
    platform: Platform
    distributions: Mapping[str, str]  # versions by name
    modules: tuple[str, ...]  # top-level names that can be imported from it
    unpacked_bytes: int
    file_count: int
    created_at: str
    created_by: str
    bytecode: str | None = None  # the tag of the Python that its modules are compiled for, if they are


class PackageRef(Struct, frozen=True):
    """The exact package that a run was submitted with."""

    slug: str
    artifact: ArtifactRef
    unpacked_bytes: int


class Trigger(str, Enum):
    """Who asked for a run."""

    MANUAL = "manual"
    SCHEDULE = "schedule"

    __str__ = str.__str__


class Problem(Struct, frozen=True):
    """Why something failed, as it is stored and shown."""

    error_type: str
    message: str
    traceback: str = ""


class ResultRef(Struct, frozen=True):
    """Where a result is. Exactly one of `inline` (small ones) and `key` (in the artifact bucket) is set."""

    codec: str
    size_bytes: int
    sha256: str
    inline: bytes | None = None
    key: str | None = None


class Run(Struct, frozen=True):
    """One execution of a flow. Everything above `status` is pinned when it is submitted and never changes."""

    id: str
    flow_name: str
    flow_version: str
    artifact: ArtifactRef
    size: Size
    isolation: Isolation
    parameters: Mapping[str, Any]
    trigger: Trigger
    created_at: str
    status: Status
    deployment: str | None = None
    fail_fast: bool = True
    max_workers: int = 1
    scheduled_at: str | None = None  # the nominal time of the schedule that asked for it
    requested_by: str | None = None  # a key id or a user, for people to read
    tags: Mapping[str, str] = field(default_factory=dict)
    started_at: str | None = None
    ended_at: str | None = None
    problem: Problem | None = None
    result: ResultRef | None = None
    hops: int = 0  # invocations used so far
    is_planned: bool = False  # all its tasks are in the store
    task_count: int = 0  # of a planned run
    packages: tuple[PackageRef, ...] = ()  # pinned as the artifact is
    max_concurrent_runs: int | None = None  # of its deployment, as it was
    default_executor: Executor | None = None  # of its deployment, too
    retry_of: str | None = None  # a run that ended, of which it keeps what it can


class TaskRun(Struct, frozen=True):
    """One call of a task in a run. `attempt` counts from 1 once it has started; 0 means it has not."""

    run_id: str
    id: str
    task_name: str
    status: Status
    position: int  # in the flow's order, from 0
    depends_on: tuple[str, ...] = ()
    concurrency_limit: int | None = None  # how many task runs of that name may run at once
    code: str = ""  # digests of what it does and of what it is given; empty when they cannot be told
    arguments: str = ""
    executor: Executor = Executor.LAMBDA
    attempt: int = 0
    attempt_id: str | None = None  # of the attempt that runs, or whose outcome was accepted
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    peak_mib: float | None = None
    problem: Problem | None = None
    result: ResultRef | None = None
    # Of runs whose tasks are isolated; times are seconds since the epoch, by the clock port.
    lease_until: float | None = None  # how long the attempt that runs is its owner's alone
    not_before: float | None = None  # a waiting task starts no sooner
    flow_attempt: int = 1  # which of the flow's own retries the task has come to


class Lease(Struct, frozen=True):
    """Who may advance a run, until when. `until` is seconds since the epoch, by the clock port.

    `is_cancel_requested` and `flow_attempt` belong to the run and outlive its leases.
    """

    run_id: str
    owner: str  # unique to one invocation
    until: float
    is_cancel_requested: bool = False
    flow_attempt: int = 1  # which of the flow's own retries the run has come to


class Event(Struct, frozen=True):
    """One thing that happened in a run. Ids sort by time of writing; `data` is JSON."""

    run_id: str
    id: str
    at: str
    type: str
    task_run_id: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Draft(Struct, frozen=True):
    """A pipeline that is being drawn. `version` counts its changes, from 1. In lists it has no canvas."""

    id: str
    name: str
    canvas_json: str | None
    tags: Mapping[str, str]
    version: int
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str


class Role(str, Enum):
    """What somebody may do. Each role may do all that the ones before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    ADMIN = "admin"

    __str__ = str.__str__

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class ApiKey(Struct, frozen=True):
    """A key without its secret: only the secret's SHA-256, hex, is kept."""

    id: str
    name: str
    role: Role
    secret_sha256: str
    created_at: str
    created_by: str
    expires_at: str | None = None
    revoked_at: str | None = None


class DeadLetter(Struct, frozen=True):
    """A message that AWS gave up on, and what became of it."""

    id: str
    at: str
    reason: str
    message: Mapping[str, Any]
    run_id: str | None = None
    delivery_id: str = ""  # the same in all tries of the message
    replayed_at: str | None = None
    replayed_by: str | None = None  # a key id or a user, for people to read
    replayed_as: str | None = None  # the run that came of it


class Page(Struct, frozen=True):
    """One page of a list. `cursor` is opaque; None means there is no more."""

    items: tuple[Any, ...]
    cursor: str | None = None
