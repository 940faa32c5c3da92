"""Runs, their tasks, leases, events and dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, Union

from msgspec import Struct

from dagy.core.states import Status
from dagy_runtime.plan import Place, Plan
from dagy_runtime.ports.semaphores import Semaphores
from dagy_runtime.values import DeadLetter, Event, Lease, Page, Problem, ResultRef, Run, TaskRun, Trigger


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


Creation = Union[Created, Existed]


Claim = Union[Won, Lost]


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
