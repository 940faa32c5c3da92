"""Runs and their leases in the table.

A lease is an item of its own: renewing it touches no index and does not meet readers of the run. The end of a run is
one transaction over both: it closes the lease for ever, so whoever claims or renews afterwards is refused at the lease.

Every conditional write carries a token (owner, attempt, or one made for the call). When the condition fails, what
stands there tells a lost reply to our own write from a lost race.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable, Container, Iterator
from itertools import takewhile
from typing import Any, Final

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch
from dagy_runtime.adapters import rules
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.journal import DynamoJournal
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, page
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.run_items import RunItems, of_result, read_lease
from dagy_runtime.adapters.aws.semaphores import DynamoSemaphores
from dagy_runtime.adapters.aws.table import Put, Refused, Table, Update, setting
from dagy_runtime.adapters.aws.tasks import DynamoTasks
from dagy_runtime.adapters.cursors import decode_cursor
from dagy_runtime.ports import EVERY_RUN, Created, Existed, Lost, RunFilter, Won
from dagy_runtime.values import Lease, Page, Problem, ResultRef, Run

IDEMPOTENCY_TTL_S: Final = 48 * 3600
_CREATE_TRIES: Final = 8
_ABSENT: Final = "attribute_not_exists(#pk)"


class DynamoRunStore(DynamoTasks, DynamoJournal, DynamoSemaphores):
    def __init__(self, table: Table, packing: Packing) -> None:
        self._run_items = RunItems(packing)
        DynamoTasks.__init__(self, table, self._run_items)
        DynamoJournal.__init__(self, table, self._run_items)
        DynamoSemaphores.__init__(self, table)

    def create_run(self, run: Run, *, idempotency_key: str | None = None) -> Created | Existed:
        token = uuid.uuid4().hex
        put_run = Put(schema.run_key(run.id), {**self._run_items.of_run(run), "created_by_call": token}, _ABSENT)
        if idempotency_key is None:
            refused = self._table.put(put_run.key, put_run.attributes, when=_ABSENT)
            return Created(run) if refused is None else self._made_before(run, refused.found, token)
        remember = _remember(idempotency_key, run)
        for _ in range(_CREATE_TRIES):
            reasons = self._table.transact([put_run, remember])
            if reasons is None:
                return Created(run)
            of_run, of_key = reasons
            if of_key is not None and of_key.found:
                return self._made_by_key(run, of_key.found, idempotency_key=idempotency_key, token=token)
            # The run is there and the key is not: remember the key, unless it is used for another run this moment.
            if (
                of_run is not None
                and self._table.put(remember.key, remember.attributes, when=remember.when, values=remember.values)
                is None
            ):
                return self._made_before(run, of_run.found, token)
        raise Unavailable(f"Run '{run.id}' could not be created: others change it all the time", "Try again.")

    def get_run(self, run_id: str) -> Run | None:
        item = self._table.get(schema.run_key(run_id))
        return self._run_items.run(item) if item else None

    def list_runs(self, *, limit: int, cursor: str | None = None, where: RunFilter = EVERY_RUN) -> Page:
        """From the index of the deployment, else of the flow, else of the statuses, else of all runs."""
        list_name = rules.run_list(where)
        index, found = self._matching(where, after=decode_cursor(list_name, cursor), page_size=limit + 1)
        return page(
            found,
            list_name=list_name,
            limit=limit,
            sort_key=schema.index_keys(index)[1],
            read=self._run_items.run,
            matches=_filter(where),
        )

    def claim_run(self, run_id: str, *, owner: str, now: float, lease_s: float, hop: int) -> Won | Lost:
        run = self.get_run(run_id)
        if run is None or run.status not in rules.CLAIMABLE:
            return self._lost(run)
        taken = self._table.update(
            schema.lease_key(run_id),
            "SET #owner = :owner, #until = :until",
            when="attribute_not_exists(#ended) AND (attribute_not_exists(#owner) OR #owner = :owner OR #until <= :now)",
            values={":owner": owner, ":until": now + lease_s, ":now": now},
        )
        if isinstance(taken, Refused):
            if taken.found and "owner" in taken.found:
                return Lost(run, read_lease(run_id, taken.found))
            return self._lost_at_end(run_id)
        # Read again: others may have claimed it, and handed it on, before the lease became ours.
        run = self.get_run(run_id) or run
        claimed = rules.claimed(run, now=now, hop=hop)
        if run.status not in rules.CLAIMABLE or (claimed != run and not self._store_claim(claimed)):
            return self._lost_at_end(run_id)
        return Won(claimed, read_lease(run_id, taken))

    def get_lease(self, run_id: str) -> Lease | None:
        item = self._table.get(schema.lease_key(run_id))
        return read_lease(run_id, item) if item and "owner" in item else None

    def renew_lease(self, run_id: str, *, owner: str, now: float, lease_s: float) -> Lease | None:
        renewed = self._table.update(
            schema.lease_key(run_id),
            "SET #until = :until",
            when="#owner = :owner",
            values={":owner": owner, ":until": now + lease_s},
        )
        return None if isinstance(renewed, Refused) else read_lease(run_id, renewed)

    def release_lease(self, run_id: str, *, owner: str, flow_attempt: int | None = None) -> None:
        kept = {} if flow_attempt is None else {":flow_attempt": flow_attempt}
        change = ("SET #flow_attempt = :flow_attempt " if kept else "") + "REMOVE #owner, #until"
        self._table.update(schema.lease_key(run_id), change, when="#owner = :owner", values={":owner": owner, **kept})

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
        """A repeat with the same owner, status and time is the same end."""
        token = f"{owner or ''}|{status}|{ended_at}"
        end = {
            "status": status,
            "ended_at": ended_at,
            "problem": self._run_items.of_problem(problem, run_id=run_id),
            "result": of_result(result),
            "ended_by": token,
            schema.index_keys(schema.BY_STATUS)[0]: schema.status_partition(status),
        }
        change, values = setting(end)
        sources = {f":from{number}": source for number, source in enumerate(sorted(rules.checked_end(status)))}
        is_ours: str | None = "#owner = :owner" if owner else "attribute_not_exists(#owner) OR #until <= :ended"
        fence: dict[str, Any] = {":owner": owner} if owner else {":ended": to_epoch(ended_at)}
        if is_whoevers:
            is_ours, fence = None, {}
        refused = self._table.transact(
            [
                Update(schema.run_key(run_id), change, f"#status IN ({', '.join(sources)})", {**values, **sources}),
                Update(
                    schema.lease_key(run_id),
                    "SET #ended = :true REMOVE #owner, #until",
                    is_ours,
                    {**fence, ":true": True},
                ),
            ]
        )
        run_item = self._table.get(schema.run_key(run_id))
        if run_item is None:
            return None
        run = self._run_items.run(run_item)
        if has_open_tasks:
            run = self._with_no_task_open(run)
        return None if refused and run_item.get("ended_by") != token else run

    def set_planned(self, run_id: str) -> None:
        plan = self.plan(run_id)
        self._places.write(run_id, plan)
        self._table.update(
            schema.run_key(run_id),
            "SET #is_planned = :true, #task_count = :count",
            values={":true": True, ":count": len(plan.tasks)},
        )

    def request_cancel(self, run_id: str) -> Run | None:
        run = self.get_run(run_id)
        if run is not None:
            self._table.update(schema.lease_key(run_id), "SET #is_cancel_requested = :true", values={":true": True})
            self._with_no_task_open(run)
        return run

    def _store_claim(self, run: Run) -> bool:
        """False when the run ended between the claim's two writes. The lease is ours, so nobody else claims it."""
        item = {name: self._run_items.of_run(run)[name] for name in ("status", "started_at", "hops", "gsi1pk")}
        change, values = setting(item)
        sources = {f":from{number}": source for number, source in enumerate(sorted(rules.CLAIMABLE))}
        when = f"#status IN ({', '.join(sources)})"
        return not isinstance(
            self._table.update(schema.run_key(run.id), change, when=when, values={**values, **sources}), Refused
        )

    def _lost_at_end(self, run_id: str) -> Lost:
        return self._lost(self.get_run(run_id))

    def _lost(self, run: Run | None) -> Lost:
        return Lost(None if run is None else self._with_no_task_open(run), None)

    def _with_no_task_open(self, run: Run) -> Run:
        """Whoever comes for a run that has ended may be the first since one that crashed while ending it."""
        if run.status.is_final and run.ended_at is not None:
            self.cancel_open_tasks(run.id, run_status=run.status, ended_at=run.ended_at)
        return run

    def _made_before(self, run: Run, found: Item | None, token: str) -> Created | Existed:
        if found is None or found["created_by_call"] == token:
            return Created(run)
        return Existed(self._run_items.run(found))

    def _made_by_key(self, run: Run, found: Item, *, idempotency_key: str, token: str) -> Created | Existed:
        if found["request_hash"] != rules.request_hash(run):
            raise rules.key_reused(idempotency_key)
        return self._made_before(run, self._table.get(schema.run_key(found["run_id"])), token)

    def _matching(self, where: RunFilter, *, after: str | None, page_size: int) -> tuple[str, Iterator[Item]]:
        """The index that serves the filter best, and what of it lies between the bounds of time, newest first."""
        if where.deployment is not None or where.flow_name is not None:
            index = schema.BY_DEPLOYMENT if where.deployment is not None else schema.BY_FLOW
            partitions = [f"RUNS#{where.deployment or where.flow_name}"]
        elif where.statuses:
            index, partitions = schema.BY_STATUS, [*map(schema.status_partition, sorted(set(where.statuses)))]
        else:
            index, partitions = schema.BY_KIND, ["RUNS"]
        sort_key = schema.index_keys(index)[1]
        size = FILTERED_PAGE_SIZE if _filter(where) else page_size
        start = min((bound for bound in (after, where.created_before) if bound is not None), default=None)
        end = f"{where.created_after}$" if where.created_after else ""  # `$` comes after the `#` that ends a time
        lists = [self._runs_in(index, partition, start, size) for partition in partitions]
        found = heapq.merge(*lists, key=lambda item: str(item[sort_key]), reverse=True)
        return index, takewhile(lambda item: str(item[sort_key]) > end, found)

    def _runs_in(self, index: str, partition: str, after: str | None, page_size: int) -> Iterator[Item]:
        return self._table.query(partition, index=index, after=after, is_newest_first=True, page_size=page_size)


def _remember(idempotency_key: str, run: Run) -> Put:
    """Taken over when it has expired: DynamoDB may take days to delete what TTL says."""
    now = int(to_epoch(run.created_at))
    return Put(
        schema.idempotency_key(idempotency_key),
        {"run_id": run.id, "request_hash": rules.request_hash(run), schema.TTL_ATTRIBUTE: now + IDEMPOTENCY_TTL_S},
        f"{_ABSENT} OR #{schema.TTL_ATTRIBUTE} < :now",
        {":now": now},
    )


def _filter(where: RunFilter) -> Callable[[Item], bool] | None:
    """What the best index leaves to be looked at; None when nothing."""
    asked: list[tuple[str, Container[str]]] = []
    if where.statuses and (where.deployment or where.flow_name):
        asked.append(("status", where.statuses))
    if where.deployment and where.flow_name:
        asked.append(("flow_name", (where.flow_name,)))
    if where.trigger:
        asked.append(("trigger", (where.trigger,)))
    return (lambda item: all(item[name] in allowed for name, allowed in asked)) if asked else None
