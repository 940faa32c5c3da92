"""What the engine and the API need of the world, stated once. Every implementation passes the contract suite of
its port.

Any method may raise `Unavailable`: whether a write happened is then unknown, and repeating it is safe. Reads
that follow a write by the same or another caller see it, except lists, which may lag by a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol, Union

from msgspec import Struct

from dagy.core.offer import MAX_ARTIFACT_BYTES
from dagy.core.sizes import Size
from dagy.core.states import Status
from dagy_runtime.messages import Message, RunTask
from dagy_runtime.people import AuditLog, CodeExchange, Directory, PublicKeys, Sessions
from dagy_runtime.plan import Place, Plan
from dagy_runtime.semaphores import Semaphores
from dagy_runtime.values import (
    ApiKey,
    ArtifactRef,
    DeadLetter,
    Deployment,
    Draft,
    Event,
    FlowVersion,
    Lease,
    Package,
    Page,
    Problem,
    ResultRef,
    Run,
    ScheduleSpec,
    TaskRun,
    Trigger,
)

# --- registry -----------------------------------------------------------------------------------------------


class Registry(Protocol):
    """Flows and deployments."""

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        """Store it; a flow of the same name and version is replaced but keeps its `created_at`. Returns what
        stands now.
        """

    def get_flow(self, name: str, version: str) -> FlowVersion | None: ...

    def latest_flow(self, name: str) -> FlowVersion | None:
        """The version registered last."""

    def get_flow_revision(self, name: str, version: str, *, sha256: str) -> FlowVersion | None:
        """The version as it was registered last with the artifact of that SHA-256, also when it was replaced since."""

    def list_flow_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        """The versions of one flow, by version."""

    def list_flows(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        """Flow versions by name, then version. `namespace` matches itself and what lies below it; all `tags`
        must match. A page may have fewer than `limit`, even none, while its cursor says that there is more.

        Raises: InvalidInput for a cursor that this list did not give.
        """

    def put_deployment(self, deployment: Deployment, *, expected_version: int | None) -> Deployment:
        """Store it with `deployment_version` one above what stands there (1 when nothing does).

        `expected_version` is the version the caller read (0 for "does not exist"); None means "whatever it is".
        Keeps `created_at`. Returns what stands now. Raises: Conflict when somebody else changed it meanwhile.
        """

    def get_deployment(self, name: str) -> Deployment | None: ...

    def list_deployments(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flow_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        """By name; all `tags` must match. Pages are as those of `list_flows`."""

    def get_deployment_version(self, name: str, number: int) -> Deployment | None:
        """The deployment as it stood with that `deployment_version`, the one that stands now included."""

    def list_deployment_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        """The deployment at each of its versions, the newest first. What was written before versions were kept is
        missing, but for the last of it. Nothing when the deployment does not exist.
        """

    def delete_deployment(self, name: str) -> bool:
        """Whether it was there. Its versions go with it, its runs stay."""


# --- runs ---------------------------------------------------------------------------------------------------


class Created(Struct, frozen=True):
    run: Run


class Existed(Struct, frozen=True):
    """The same request came before; this is the run it made. Nothing was written."""

    run: Run


class Won(Struct, frozen=True):
    """The run is ours until the lease ends."""

    run: Run
    lease: Lease


class Lost(Struct, frozen=True):
    """It is not ours; nothing was written. `lease` is what stands there, None when the run is final or unknown."""

    run: Run | None
    lease: Lease | None


class RunFilter(Struct, frozen=True):
    flow_name: str | None = None
    deployment: str | None = None
    statuses: tuple[Status, ...] = ()
    trigger: Trigger | None = None
    created_after: str | None = None  # neither bound is included
    created_before: str | None = None


EVERY_RUN: Final = RunFilter()


class TaskOutcome(Struct, frozen=True):
    """How one attempt of a task ended. `status` SUCCEEDED carries a result, FAILED a problem; PENDING puts it back."""

    status: Status
    attempt: int
    ended_at: str
    result: ResultRef | None = None
    problem: Problem | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    peak_mib: float | None = None
    not_before: float | None = None  # PENDING only: when it may start again
    flow_attempt: int = 1


class RunStore(Semaphores, Protocol):
    """Runs, their tasks, leases and events. Legal status changes are those of `dagy.core.states`, whoever asks."""

    def create_run(self, run: Run, *, idempotency_key: str | None = None) -> Created | Existed:
        """Store a new run. The same idempotency key, or the same run id, gives the run of the first call, also
        to callers at the same moment. Keys are remembered for 24 hours at least.

        Raises: Conflict when the key was used with another flow, deployment or parameters.
        """

    def get_run(self, run_id: str) -> Run | None: ...

    def list_runs(self, *, limit: int, cursor: str | None = None, where: RunFilter = EVERY_RUN) -> Page:
        """Newest first. Pages are as those of `Registry.list_flows`."""

    def claim_run(self, run_id: str, *, owner: str, now: float, lease_s: float, hop: int) -> Won | Lost:
        """Take a PENDING run, or a RUNNING one whose lease has run out or was released, and make it RUNNING.

        Counts the invocation (`hops` becomes at least `hop + 1`) and sets `started_at` the first time. A repeat
        with the same owner returns Won again: the reply to the first may have been lost. Finding the run final, it
        cancels the tasks that a crash in `finish_run` has left open.
        """

    def get_lease(self, run_id: str) -> Lease | None:
        """The lease as it stands, run out or not; None when there is none: never claimed, released, or final."""

    def renew_lease(self, run_id: str, *, owner: str, now: float, lease_s: float) -> Lease | None:
        """The lease as it stands after, with the cancel flag; None when it is somebody else's by now. Then stop."""

    def release_lease(self, run_id: str, *, owner: str, flow_attempt: int | None = None) -> None:
        """Give the run back unfinished, for the next invocation to claim at once, which finds `flow_attempt` in its
        lease: that given here, or else the one before. Nothing happens when it is not ours.
        """

    def finish_run(
        self,
        run_id: str,
        *,
        owner: str | None,
        status: Status,
        ended_at: str,
        problem: Problem | None = None,
        result: ResultRef | None = None,
        is_whoevers: bool = False,
        has_open_tasks: bool = True,
    ) -> Run | None:
        """End it, for ever. `owner` None means nobody advances it: it must be PENDING, or its lease must have
        run out or been released (`ended_at` is compared with it); with `is_whoevers` the lease does not matter.
        Open tasks of it become CANCELLED; not `has_open_tasks` says that there are none, which saves looking.

        A repeat with the same owner, status and time is accepted again. Should it crash before all open tasks are
        cancelled, a repeat does the rest, and so does whoever tries to claim, cancel or end the run next.

        Returns the run as it stands; None when this end was not accepted because the lease is another's or the
        run is final.
        """

    def request_cancel(self, run_id: str) -> Run | None:
        """Set the flag that the next `renew_lease` sees; the run as it stands. None when there is no such run.

        Finding the run final, it cancels the tasks that a crash in `finish_run` has left open.
        """

    def put_tasks(self, run_id: str, tasks: Sequence[TaskRun]) -> None:
        """Store tasks that are not there yet; those that are stay as they are."""

    def get_task(self, run_id: str, task_run_id: str) -> TaskRun | None: ...

    def list_tasks(self, run_id: str, *, limit: int, cursor: str | None = None) -> Page:
        """In the flow's order."""

    def start_task(self, run_id: str, task_run_id: str, *, attempt: int, attempt_id: str, started_at: str) -> bool:
        """Whether it is now RUNNING this attempt. A repeat with the same attempt id is True again.

        It takes over from an attempt that was lost, never from a newer one; one that was put back starts no more.
        """

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: TaskOutcome) -> TaskRun:
        """The task as it stands after. The first accepted outcome stays: when the task is final already, or
        runs under another attempt id, nothing changes, and what is returned says so.
        """

    def get_results(self, run_id: str, task_run_ids: Sequence[str]) -> Mapping[str, ResultRef]:
        """The accepted results of those that have one, by task run id."""

    def set_planned(self, run_id: str) -> None:
        """Every task of the run is in the store, and `plan` and `place` may be relied on."""

    def plan(self, run_id: str) -> Plan:
        """The tasks as they were put: all of them once the run is planned. Then it never changes any more."""

    def place(self, run_id: str, task_run_id: str, *, position: int) -> Place | None:
        """Where a task of a planned run stands, and where it leads. It costs the same however many tasks there are.
        None when there is no such task at that position.
        """

    def claim_task(
        self,
        run_id: str,
        task_run_id: str,
        *,
        attempt: int,
        attempt_id: str,
        flow_attempt: int,
        started_at: str,
        now: float,
        lease_s: float,
    ) -> TaskRun:
        """Make it RUNNING this attempt until `now + lease_s`, if it waits and may start now, or if the lease of the
        attempt that ran it has run out. An attempt that has ended does not start again. A repeat with the same
        attempt id has won again.

        Returns the task as it stands after; it is ours when it is RUNNING with our attempt id. Raises: NotFound.
        """

    def renew_task(self, run_id: str, task_run_id: str, *, attempt_id: str, now: float, lease_s: float) -> bool:
        """Whether it still runs this attempt, whose lease now ends at `now + lease_s`. If not, stop."""

    def arrive(self, run_id: str, node: str, member: int) -> int:
        """How many have arrived at this node of a join, this one included. A repeat changes nothing."""

    def settle_tasks(
        self, run_id: str, task_run_ids: Sequence[str], *, status: Status, reason: str, ended_at: str
    ) -> list[str]:
        """Make open tasks SKIPPED or CANCELLED; final ones stay. Returns those that this
        call has settled, or the one that it repeats.
        """

    def append_events(self, events: Sequence[Event]) -> None:
        """Repeats of an event id change nothing."""

    def list_events(self, run_id: str, *, limit: int, after: str | None = None) -> Page:
        """Oldest first, those with ids above `after`. The page's cursor is the last event's id while there may
        be more.
        """

    def put_dead_letter(self, letter: DeadLetter) -> None: ...

    def get_dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    def list_dead_letters(self, *, limit: int, cursor: str | None = None, run_id: str | None = None) -> Page:
        """Newest first; with `run_id` those about that run. Pages are as those of `Registry.list_flows`."""

    def mark_replayed(self, letter_id: str, *, at: str, by: str, run_id: str | None) -> DeadLetter | None:
        """The letter as it stands: the first replay's mark stays. None when there is no such letter."""


class Keys(Protocol):
    """API keys."""

    def put_key(self, key: ApiKey) -> None:
        """Raises: Conflict when a key of that id exists."""

    def get_key(self, key_id: str) -> ApiKey | None: ...

    def list_keys(self, *, limit: int, cursor: str | None = None) -> Page:
        """Newest first, revoked ones included."""

    def revoke_key(self, key_id: str, *, at: str) -> ApiKey | None:
        """The key as it stands: the first revocation's time stays. None when there is none."""


class Drafts(Protocol):
    """Pipelines that are being drawn."""

    def put_draft(self, draft: Draft, *, expected_version: int) -> Draft:
        """Store it with `version` one above `expected_version`, the version the caller read (0 for a new one).

        Returns what stands now. Raises: Conflict when somebody else changed or deleted it meanwhile.
        """

    def get_draft(self, draft_id: str) -> Draft | None: ...

    def list_drafts(self, *, limit: int, cursor: str | None = None, tags: Mapping[str, str] | None = None) -> Page:
        """Newest first, without their canvases; all `tags` must match. Pages are as those of `Registry.list_flows`."""

    def delete_draft(self, draft_id: str) -> bool:
        """Whether it was there."""


class Begun(Struct, frozen=True):
    """The request is ours to carry out."""


class UnderWay(Struct, frozen=True):
    """Somebody else carries it out this moment."""


class Remembered(Struct, frozen=True):
    """It was carried out. `body` is None when the answer was not to be kept, or too large."""

    status: int
    body: bytes | None


class Answers(Protocol):
    """Answers to requests with an idempotency key, so that a repeat gets the first one's. Kept for a day at least."""

    def begin(
        self, key: str, *, request_hash: str, owner: str, now: float, lease_s: float
    ) -> Begun | UnderWay | Remembered:
        """Take the key for a request. One that began and was never finished can be taken again after `lease_s`.

        Raises: Conflict when the key was used for another request.
        """

    def finish(self, key: str, *, owner: str, status: int, body: bytes | None) -> None:
        """Keep the answer, unless somebody else has taken the key since."""

    def give_up(self, key: str, *, owner: str) -> None:
        """Let the next who comes begin at once."""


class Packages(Protocol):
    """Dependency packages."""

    def put_package(self, package: Package) -> Package:
        """Store it; one of the same slug is replaced but keeps its `created_at` and `created_by`. What stands now."""

    def get_package(self, slug: str) -> Package | None: ...

    def list_packages(self, *, limit: int, cursor: str | None = None) -> Page:
        """Newest first."""

    def delete_package(self, slug: str) -> bool:
        """Whether it was there. Its object stays."""


# --- the rest of the world ----------------------------------------------------------------------------------

Pulse = Callable[[], object]
"""Called now and then (for each MiB at least) while something large is under way, for what cannot wait. It must not
raise."""


def no_pulse() -> None:
    """For callers with nothing that could not wait."""


class Blobs(Protocol):
    """Bytes in the artifact bucket."""

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store, replacing."""

    def get(self, key: str, *, version_id: str | None = None) -> bytes:
        """Raises: NotFound."""

    def put_file(
        self, key: str, path: Path, *, content_type: str = "application/octet-stream", pulse: Pulse = no_pulse
    ) -> None:
        """Store the file's content, replacing, without holding it in memory."""

    def get_file(self, key: str, path: Path, *, version_id: str | None = None, pulse: Pulse = no_pulse) -> str:
        """Write the object into that file, replacing, without holding it in memory; the SHA-256, hex, of what was
        written.

        Raises: NotFound; OSError when the file cannot be written, which may hold a part of the object then.
        """

    def open(self, key: str, *, version_id: str | None = None) -> IO[bytes]:
        """The object as a file for reading, of which only what is read is fetched. Raises: NotFound."""

    def delete(self, key: str) -> None:
        """Its versions stay, for those who know their ids. A repeat, or one that was never there, is fine."""

    def exists(self, key: str, *, version_id: str | None = None) -> bool:
        """Whether `get` would find it."""

    def list_keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
        """Keys with that prefix, in order, those above `after`."""

    def find_artifact(
        self, bucket: str, key: str, version_id: str | None, *, max_bytes: int = MAX_ARTIFACT_BYTES
    ) -> ArtifactRef | None:
        """What stands there, with the SHA-256 the store itself computed of it; None when there is nothing.

        Raises: InvalidInput when `bucket` is not this stage's, or it is larger than `max_bytes`; it is not read then.
        """

    def presigned_get(self, key: str, *, expires_s: int) -> str:
        """A URL that downloads it without credentials."""


class Dispatcher(Protocol):
    """Start this now. Accepted messages are delivered at least once."""

    def to_runtime(self, size: Size, message: Message) -> None: ...

    def to_control(self, message: Message) -> None: ...


class Executions(Protocol):
    """Tasks as executions of the stage's task machine, which people can watch in AWS's console."""

    def start(self, size: Size, message: RunTask, *, name: str) -> None:
        """Have the machine invoke the runtime function with this message, and again at any time that the answer names.
        What it cannot deliver becomes a dead letter. `name` is for people; a repeat may start another.
        """


class Timers(Protocol):
    """Start this later."""

    def to_runtime_at(self, size: Size, message: Message, *, at: float, name: str) -> None:
        """Deliver at `at` (seconds since the epoch), at least once. A repeat of `name` (unique for 90 days)
        changes nothing.
        """

    def to_control_at(self, message: Message, *, at: float, name: str) -> None: ...


class Schedules(Protocol):
    """Start this again and again: one schedule per deployment."""

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        """Create or replace. Raises: InvalidInput when it cannot be honoured."""

    def delete(self, deployment: str) -> None:
        """A repeat, or one that was never there, is fine."""

    def get(self, deployment: str) -> tuple[ScheduleSpec, bool] | None:
        """What is set, and whether it is enabled."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""


class Ids(Protocol):
    def unique(self) -> str:
        """A new id of 26 characters that sorts by the time it was made (a ULID)."""

    def secret(self) -> str:
        """256 bits of chance, URL-safe text."""


class Ports(Struct, frozen=True):
    """Everything a shell is given. Built in one place per world: `adapters.memory.world()` or
    `adapters.aws.world()`.
    """

    registry: Registry
    runs: RunStore
    keys: Keys
    drafts: Drafts
    answers: Answers
    packages: Packages
    blobs: Blobs
    dispatcher: Dispatcher
    executions: Executions
    timers: Timers
    schedules: Schedules
    clock: Clock
    ids: Ids
    public_keys: PublicKeys
    directory: Directory
    exchange: CodeExchange
    sessions: Sessions
    audit: AuditLog


Claim = Union[Won, Lost]
Creation = Union[Created, Existed]
