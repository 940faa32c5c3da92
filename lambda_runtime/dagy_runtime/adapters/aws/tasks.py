"""Task runs in the table: the list of a run's tasks, written once, and the state of each that has started.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from dagy.core.errors import NotFound
from dagy.core.states import Status
from dagy_runtime.adapters import rules
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.places import DynamoPlaces
from dagy_runtime.adapters.aws.run_items import RunItems, read_result
from dagy_runtime.adapters.aws.table import TRANSACTION_LIMIT, Refused, Table, Update, setting
from dagy_runtime.adapters.cursors import decode_cursor, encode_cursor, list_id
from dagy_runtime.plan import Place, Plan
from dagy_runtime.ports import TaskOutcome
from dagy_runtime.values import Page, ResultRef, TaskRun

_KNOWN_RUNS: Final = 8


@dataclass
class _Plan:
    """The task list of a run as far as it was read: `tasks` as planned, `items` how many items that were."""

    tasks: dict[str, TaskRun] = field(default_factory=dict)
    items: int = 0
    graph: Plan | None = None


class DynamoTasks:
    def __init__(self, table: Table, items: RunItems) -> None:
        self._table = table
        self._items = items
        self._lock = threading.Lock()
        self._places = DynamoPlaces(table, items)
        self._plans: OrderedDict[str, _Plan] = OrderedDict()  # the runs used last; lists only ever grow

    def put_tasks(self, run_id: str, tasks: Sequence[TaskRun]) -> None:
        while True:
            plan = self._plan(run_id)
            new = list({task.id: task for task in reversed(tasks) if task.id not in plan.tasks}.values())[::-1]
            if not new:
                return
            chunk = new[: schema.TASKS_PER_LIST_ITEM]
            for task in chunk:
                if task != rules.planned(task):
                    self._put_state(task)
            # Refused: somebody else added to the list meanwhile, perhaps these. Look again.
            self._table.put(
                schema.task_list_key(run_id, plan.items),
                self._items.of_task_list(run_id, chunk),
                when="attribute_not_exists(#pk)",
            )

    def get_task(self, run_id: str, task_run_id: str) -> TaskRun | None:
        planned = self._planned_task(run_id, task_run_id)
        if planned is None:
            return None
        return self._items.task(planned, self._table.get(schema.task_key(run_id, task_run_id)))

    def get_results(self, run_id: str, task_run_ids: Sequence[str]) -> Mapping[str, ResultRef]:
        states = self._table.get_many([schema.task_key(run_id, id) for id in task_run_ids])
        found = {id: read_result(states.get(schema.task_key(run_id, id), {})) for id in task_run_ids}
        return {id: result for id, result in found.items() if result is not None}

    def list_tasks(self, run_id: str, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("tasks", run_id)
        after = decode_cursor(list_name, cursor)
        planned = sorted((_order(task), task) for task in self._plan(run_id).tasks.values())
        rest = [task for order, task in planned if after is None or order > after]
        given = self._as_they_stand(run_id, rest[:limit])
        return Page(tuple(given), encode_cursor(list_name, _order(given[-1])) if len(rest) > limit else None)

    def start_task(self, run_id: str, task_run_id: str, *, attempt: int, attempt_id: str, started_at: str) -> bool:
        planned = self._planned_task(run_id, task_run_id)
        if planned is None:
            return False
        started = rules.started(planned, attempt=attempt, attempt_id=attempt_id, started_at=started_at)
        change, values = setting(self._items.of_task_state(started))
        written = self._table.update(
            schema.task_key(run_id, task_run_id),
            change,
            when="attribute_not_exists(#pk)"
            " OR (#status = :pending AND (attribute_not_exists(#attempt_id) OR #attempt_id <> :attempt_id))"
            " OR (#status = :status AND #attempt_id <> :attempt_id AND #attempt <= :attempt)",
            values={**values, ":pending": Status.PENDING},
        )
        if isinstance(written, Refused):
            found = written.found or {}
            return found.get("status") == Status.RUNNING and found.get("attempt_id") == attempt_id
        return True

    def finish_task(self, run_id: str, task_run_id: str, *, attempt_id: str, outcome: TaskOutcome) -> TaskRun:
        planned = self._planned_task(run_id, task_run_id)
        if planned is None:
            raise NotFound("task run", f"{run_id}/{task_run_id}")
        if not rules.is_outcome(outcome.status):
            return self._as_they_stand(run_id, [planned])[0]
        state = self._items.of_task_state(rules.finished(planned, outcome))
        change, values = setting({name: state[name] for name in _OUTCOME_ATTRIBUTES})
        written = self._table.update(
            schema.task_key(run_id, task_run_id),
            change,
            when="#status = :running AND #attempt_id = :attempt_id",
            values={**values, ":running": Status.RUNNING, ":attempt_id": attempt_id},
        )
        return self._items.task(planned, written.found if isinstance(written, Refused) else written)

    def plan(self, run_id: str) -> Plan:
        known = self._plan(run_id)
        if known.graph is None or len(known.graph.tasks) != len(known.tasks):
            known.graph = Plan(sorted(known.tasks.values(), key=_order))
        return known.graph

    def place(self, run_id: str, task_run_id: str, *, position: int) -> Place | None:
        return self._places.find(run_id, task_run_id, position=position)

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
        planned = self._planned_task(run_id, task_run_id)
        if planned is None:
            raise NotFound("task run", f"{run_id}/{task_run_id}")
        started = rules.started(planned, attempt=attempt, attempt_id=attempt_id, started_at=started_at)
        claimed = replace(started, lease_until=now + lease_s, flow_attempt=flow_attempt)
        change, values = setting(self._items.of_task_state(claimed))
        written = self._table.update(
            schema.task_key(run_id, task_run_id),
            change,
            when="attribute_not_exists(#pk)"
            " OR (#status = :pending AND (attribute_not_exists(#attempt_id) OR #attempt_id <> :attempt_id)"
            " AND (attribute_not_exists(#not_before) OR #not_before <= :now))"
            " OR (#status = :status AND #attempt_id <> :attempt_id AND #lease_until <= :now)",
            values={**values, ":pending": Status.PENDING, ":now": now},
        )
        return self._items.task(planned, written.found if isinstance(written, Refused) else written)

    def renew_task(self, run_id: str, task_run_id: str, *, attempt_id: str, now: float, lease_s: float) -> bool:
        renewed = self._table.update(
            schema.task_key(run_id, task_run_id),
            "SET #lease_until = :until",
            when="#status = :running AND #attempt_id = :attempt_id",
            values={":until": now + lease_s, ":running": Status.RUNNING, ":attempt_id": attempt_id},
        )
        return not isinstance(renewed, Refused)

    def arrive(self, run_id: str, node: str, member: int) -> int:
        arrived = self._table.update(
            schema.join_key(run_id, node), "ADD #arrived :member", values={":member": {member}}
        )
        assert not isinstance(arrived, Refused)  # noqa: S101 - it has no condition
        return len(arrived["arrived"])

    def settle_tasks(
        self, run_id: str, task_run_ids: Sequence[str], *, status: Status, reason: str, ended_at: str
    ) -> list[str]:
        """A hundred per transaction, which costs two writes per task and saves 99 requests in 100. When one fails,
        those before it are settled; a repeat does the rest.
        """
        sources = {f":open{number}": source for number, source in enumerate(sorted(rules.settleable(status)))}
        problem = self._items.of_problem(rules.settlement(status, reason), run_id=run_id)
        change, values = setting({"status": status, "ended_at": ended_at, "problem": problem})
        when = f"attribute_not_exists(#pk) OR #status IN ({', '.join(sources)})"
        plan = self._plan(run_id).tasks
        names = [name for name in dict.fromkeys(task_run_ids) if name in plan]
        settled: list[str] = []
        for start in range(0, len(names), TRANSACTION_LIMIT):
            writes = {
                name: Update(schema.task_key(run_id, name), change, when, {**values, **sources})
                for name in names[start : start + TRANSACTION_LIMIT]
            }
            settled += self._settled(writes, status=status, ended_at=ended_at)
        return settled

    def cancel_open_tasks(self, run_id: str, *, run_status: Status, ended_at: str) -> None:
        """What the end of a run does to its tasks. A repeat finds nothing to do."""
        planned = list(self._plan(run_id).tasks.values())
        still_open = [task.id for task in self._as_they_stand(run_id, planned) if not task.status.is_final]
        if still_open:
            reason = rules.end_reason(run_status)
            self.settle_tasks(run_id, still_open, status=Status.CANCELLED, reason=reason, ended_at=ended_at)

    def _as_they_stand(self, run_id: str, planned: Sequence[TaskRun]) -> list[TaskRun]:
        keys = {task.id: schema.task_key(run_id, task.id) for task in planned}
        states = self._table.get_many(list(keys.values()))
        return [self._items.task(task, states.get(keys[task.id])) for task in planned]

    def _put_state(self, task: TaskRun) -> None:
        key = schema.task_key(task.run_id, task.id)
        self._table.put(key, self._items.of_task_state(task), when="attribute_not_exists(#pk)")

    def _planned_task(self, run_id: str, task_run_id: str) -> TaskRun | None:
        with self._lock:
            known = self._plans.get(run_id)
            if known and task_run_id in known.tasks:
                return known.tasks[task_run_id]
        return self._places.known_task(run_id, task_run_id) or self._plan(run_id).tasks.get(task_run_id)

    def _plan(self, run_id: str) -> _Plan:
        """The task list as it is now: what was read before does not change, so only newer items are fetched."""
        with self._lock:
            known = self._plans.get(run_id, _Plan())
        first = schema.task_list_key(run_id, known.items)
        newer = list(
            self._table.query(first.pk, page_size=100, between=(first.sk, schema.task_list_key(run_id, 999_999).sk))
        )
        tasks = dict(known.tasks) if newer else known.tasks
        for item in newer:
            for task in self._items.task_list(run_id, item):
                tasks.setdefault(task.id, task)
        plan = _Plan(tasks, known.items + len(newer))
        with self._lock:
            if plan.items >= self._plans.get(run_id, _Plan()).items:
                self._plans[run_id] = plan
                self._plans.move_to_end(run_id)
            while len(self._plans) > _KNOWN_RUNS:
                self._plans.popitem(last=False)
        return plan

    def _settled(self, writes: Mapping[str, Update], *, status: Status, ended_at: str) -> list[str]:
        """Write all but those whose condition refuses them. Which were written, by this or by what it repeats."""
        names, before = list(writes), set()
        while writes:
            refusals = self._table.transact(list(writes.values()))
            if refusals is None:
                break
            for name, refused in zip(list(writes), refusals, strict=True):
                found = (refused.found or {}) if refused is not None else {}
                if (found.get("status"), found.get("ended_at")) == (status, ended_at):
                    before.add(name)
            pairs = zip(writes.items(), refusals, strict=True)
            writes = {name: write for (name, write), refused in pairs if refused is None}
        return [name for name in names if name in writes or name in before]


_OUTCOME_ATTRIBUTES: Final = (
    "status", "attempt", "ended_at", "duration_s", "cpu_s", "peak_mib", "problem", "result",
    "lease_until", "not_before", "flow_attempt",
)  # fmt: skip


def _order(task: TaskRun) -> str:
    return f"{task.position:09d}#{task.id}"
