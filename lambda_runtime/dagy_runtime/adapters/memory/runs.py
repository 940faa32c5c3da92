"""Runs, their leases, tasks and events in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from msgspec.structs import replace

from dagy.core.errors import NotFound
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch
from dagy_runtime.adapters import rules
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.adapters.memory.pages import Listed, first_page, page_of
from dagy_runtime.adapters.memory.semaphores import MemorySemaphores
from dagy_runtime.plan import Place, Plan
from dagy_runtime.ports import EVERY_RUN, Created, Existed, Lost, RunFilter, TaskOutcome, Won
from dagy_runtime.values import DeadLetter, Event, Lease, Page, Problem, ResultRef, Run, TaskRun


@dataclass
class _Record:
    """One run with all that hangs on it."""

    run: Run
    lease: Lease | None = None
    is_cancel_requested: bool = False
    flow_attempt: int = 1
    ended_by: tuple[str | None, Status, str] | None = None
    tasks: dict[str, TaskRun] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    arrived: dict[str, set[int]] = field(default_factory=dict)  # by node
    plan: Plan | None = None

    def planned(self) -> Plan:
        if self.plan is None or len(self.plan.tasks) != len(self.tasks):
            self.plan = Plan([rules.planned(task) for task in self.tasks.values()])
        return self.plan

    def take(self, owner: str, until: float) -> Lease:
        self.lease = Lease(self.run.id, owner, until, self.is_cancel_requested, self.flow_attempt)
        return self.lease

    def is_owned_by(self, owner: str) -> bool:
        return self.lease is not None and self.lease.owner == owner

    def is_free(self, now: float) -> bool:
        return self.lease is None or self.lease.until <= now

    def settle(self, status: Status, *, reason: str, ended_at: str, task_run_ids: Sequence[str]) -> list[str]:
        sources = rules.settleable(status)
        named = [self.tasks[name] for name in dict.fromkeys(task_run_ids) if name in self.tasks]
        open_tasks = [task for task in named if task.status in sources]
        for task in open_tasks:
            self.tasks[task.id] = rules.settled(task, status=status, reason=reason, ended_at=ended_at)
        now = [self.tasks[task.id] for task in named]
        return [task.id for task in now if (task.status, task.ended_at) == (status, ended_at)]

    def cancel_leftovers(self) -> None:
        """No task of a run that has ended stays open."""
        if self.run.status.is_final and self.run.ended_at is not None:
            self.settle(
                Status.CANCELLED,
                reason=rules.end_reason(self.run.status),
                ended_at=self.run.ended_at,
                task_run_ids=list(self.tasks),
            )


class MemoryRunStore(MemorySemaphores):
    """One lock for everything: each method is one atomic step."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}
        self._order: Listed[_Record] = Listed()
        self._idempotency: dict[str, tuple[str, str]] = {}  # key: (request hash, run id)
        self._dead_letters: dict[str, DeadLetter] = {}

    def create_run(self, run: Run, *, idempotency_key: str | None = None) -> Created | Existed:
        with self._lock:
            if idempotency_key in self._idempotency:
                request, run_id = self._idempotency[idempotency_key]
                if request != rules.request_hash(run):
                    raise rules.key_reused(idempotency_key)
                return Existed(self._records[run_id].run)
            if idempotency_key is not None:
                self._idempotency[idempotency_key] = (rules.request_hash(run), run.id)
            if run.id in self._records:
                return Existed(self._records[run.id].run)
            record = self._records[run.id] = _Record(run)
            self._order.put(f"{run.created_at}#{run.id}", record)
            return Created(run)

    def get_run(self, run_id: str) -> Run | None:
        with self._lock:
            record = self._records.get(run_id)
            return record.run if record else None

    def list_runs(self, *, limit: int, cursor: str | None = None, where: RunFilter = EVERY_RUN) -> Page:
        list_name = rules.run_list(where)
        bounds = (decode_cursor(list_name, cursor), where.created_before)
        start = min((bound for bound in bounds if bound is not None), default=None)
        end = f"{where.created_after}$" if where.created_after else ""
        with self._lock:
            found = takewhile(lambda pair: pair[0] > end, self._order.downwards(start))
            runs = ((key, record.run) for key, record in found)
            return first_page(
                ((key, run) for key, run in runs if _matches(run, where)), list_name=list_name, limit=limit
            )

    def claim_run(self, run_id: str, *, owner: str, now: float, lease_s: float, hop: int) -> Won | Lost:
        with self._lock:
            record = self._records.get(run_id)
            if record is None:
                return Lost(None, None)
            is_ours = record.is_owned_by(owner) or record.is_free(now)
            if record.run.status not in rules.CLAIMABLE or not is_ours:
                record.cancel_leftovers()
                return Lost(record.run, record.lease)
            record.run = rules.claimed(record.run, now=now, hop=hop)
            return Won(record.run, record.take(owner, now + lease_s))

    def get_lease(self, run_id: str) -> Lease | None:
        with self._lock:
            record = self._records.get(run_id)
            return record.lease if record else None

    def renew_lease(self, run_id: str, *, owner: str, now: float, lease_s: float) -> Lease | None:
        with self._lock:
            record = self._records.get(run_id)
            return record.take(owner, now + lease_s) if record and record.is_owned_by(owner) else None

    def release_lease(self, run_id: str, *, owner: str, flow_attempt: int | None = None) -> None:
        with self._lock:
            record = self._records.get(run_id)
            if record and record.is_owned_by(owner):
                record.lease = None
                record.flow_attempt = flow_attempt or record.flow_attempt

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
        sources = rules.checked_end(status)
        with self._lock:
            record = self._records.get(run_id)
            if record is None:
                return None
            if record.ended_by == (owner, status, ended_at):
                record.cancel_leftovers()
                return record.run
            is_ours = record.is_free(to_epoch(ended_at)) if owner is None else record.is_owned_by(owner)
            is_ours = is_ours or is_whoevers
            if record.run.status not in sources or not is_ours:
                record.cancel_leftovers()
                return None
            record.run = rules.ended(record.run, status=status, ended_at=ended_at, problem=problem, result=result)
            record.ended_by = (owner, status, ended_at)
            record.lease = None
            record.cancel_leftovers()
            return record.run

    def request_cancel(self, run_id: str) -> Run | None:
        with self._lock:
            record = self._records.get(run_id)
            if record is None:
                return None
            record.is_cancel_requested = True
            if record.lease:
                record.lease = replace(record.lease, is_cancel_requested=True)
            record.cancel_leftovers()
            return record.run

    def put_tasks(self, run_id: str, tasks: Sequence[TaskRun]) -> None:
        with self._lock:
            record = self._existing(run_id)
            for task in tasks:
                record.tasks.setdefault(task.id, task)

    def get_task(self, run_id: str, task_run_id: str) -> TaskRun | None:
        with self._lock:
            record = self._records.get(run_id)
            return record.tasks.get(task_run_id) if record else None

    def list_tasks(self, run_id: str, *, limit: int, cursor: str | None = None) -> Page:
        with self._lock:
            record = self._records.get(run_id)
            tasks = list(record.tasks.values()) if record else []
        return page_of(
            tasks,
            sort_key=lambda task: f"{task.position:09d}#{task.id}",
            list_name=list_id("tasks", run_id),
            limit=limit,
            cursor=cursor,
            newest=False,
        )

    def start_task(self, run_id: str, task_run_id: str, *, attempt: int, attempt_id: str, started_at: str) -> bool:
        with self._lock:
            record = self._records.get(run_id)
            task = record.tasks.get(task_run_id) if record else None
            if record is None or task is None or not rules.may_start(task, attempt=attempt, attempt_id=attempt_id):
                return False
            if task.status is not Status.RUNNING or task.attempt_id != attempt_id:
                record.tasks[task_run_id] = rules.started(
                    task, attempt=attempt, attempt_id=attempt_id, started_at=started_at
                )
            return True

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: TaskOutcome) -> TaskRun:
        with self._lock:
            record = self._existing(run_id)
            if task_run_id not in record.tasks:
                raise NotFound("task run", f"{run_id}/{task_run_id}")
            task = record.tasks[task_run_id]
            if rules.may_finish(task, attempt_id=attempt_id, outcome=outcome):
                record.tasks[task_run_id] = rules.finished(task, outcome)
            return record.tasks[task_run_id]

    def get_results(self, run_id: str, task_run_ids: Sequence[str]) -> Mapping[str, ResultRef]:
        with self._lock:
            record = self._records.get(run_id)
            found = [record.tasks[id] for id in task_run_ids if id in record.tasks] if record else []
            return {task.id: task.result for task in found if task.result is not None}

    def set_planned(self, run_id: str) -> None:
        with self._lock:
            record = self._existing(run_id)
            record.run = replace(record.run, is_planned=True, task_count=len(record.tasks))

    def plan(self, run_id: str) -> Plan:
        with self._lock:
            return self._existing(run_id).planned()

    def place(self, run_id: str, task_run_id: str, *, position: int) -> Place | None:
        with self._lock:
            record = self._records.get(run_id)
            task = record.tasks.get(task_run_id) if record and record.run.is_planned else None
            return record.planned().place(task_run_id) if record and task and task.position == position else None

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
        with self._lock:
            record = self._existing(run_id)
            task = record.tasks.get(task_run_id)
            if task is None:
                raise NotFound("task run", f"{run_id}/{task_run_id}")
            if rules.may_be_claimed(task, attempt_id=attempt_id, now=now):
                begun = rules.started(task, attempt=attempt, attempt_id=attempt_id, started_at=started_at)
                task = replace(begun, lease_until=now + lease_s, flow_attempt=flow_attempt)
                record.tasks[task_run_id] = task
            return task

    def renew_task(self, run_id: str, task_run_id: str, *, attempt_id: str, now: float, lease_s: float) -> bool:
        with self._lock:
            record = self._existing(run_id)
            task = record.tasks.get(task_run_id)
            if task is None or task.status is not Status.RUNNING or task.attempt_id != attempt_id:
                return False
            record.tasks[task_run_id] = replace(task, lease_until=now + lease_s)
            return True

    def arrive(self, run_id: str, node: str, member: int) -> int:
        with self._lock:
            arrived = self._existing(run_id).arrived.setdefault(node, set())
            arrived.add(member)
            return len(arrived)

    def settle_tasks(
        self, run_id: str, task_run_ids: Sequence[str], *, status: Status, reason: str, ended_at: str
    ) -> list[str]:
        with self._lock:
            record = self._existing(run_id)
            return record.settle(status, reason=reason, ended_at=ended_at, task_run_ids=task_run_ids)

    def append_events(self, events: Sequence[Event]) -> None:
        with self._lock:
            for event in events:
                self._existing(event.run_id).events.setdefault(event.id, event)

    def list_events(self, run_id: str, *, limit: int, after: str | None = None) -> Page:
        with self._lock:
            record = self._records.get(run_id)
            events = sorted(record.events.values(), key=lambda event: event.id) if record else []
        rest = [event for event in events if after is None or event.id > after]
        return Page(tuple(rest[:limit]), rest[limit - 1].id if len(rest) > limit else None)

    def put_dead_letter(self, letter: DeadLetter) -> None:
        with self._lock:
            self._dead_letters[letter.id] = letter

    def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        with self._lock:
            return self._dead_letters.get(letter_id)

    def list_dead_letters(self, *, limit: int, cursor: str | None = None, run_id: str | None = None) -> Page:
        with self._lock:
            letters = [letter for letter in self._dead_letters.values() if run_id in (None, letter.run_id)]
        return page_of(
            letters,
            sort_key=lambda letter: f"{letter.at}#{letter.id}",
            list_name=rules.dead_letter_list(run_id),
            limit=limit,
            cursor=cursor,
            newest=True,
        )

    def mark_replayed(self, letter_id: str, *, at: str, by: str, run_id: str | None) -> DeadLetter | None:
        with self._lock:
            letter = self._dead_letters.get(letter_id)
            if letter is not None and letter.replayed_at is None:
                letter = replace(letter, replayed_at=at, replayed_by=by, replayed_as=run_id)
                self._dead_letters[letter_id] = letter
            return letter

    def _existing(self, run_id: str) -> _Record:
        if run_id not in self._records:
            raise NotFound("run", run_id)
        return self._records[run_id]


def _matches(run: Run, where: RunFilter) -> bool:
    return (
        where.flow_name in (None, run.flow_name)
        and where.deployment in (None, run.deployment)
        and where.trigger in (None, run.trigger)
        and (not where.statuses or run.status in where.statuses)
    )
