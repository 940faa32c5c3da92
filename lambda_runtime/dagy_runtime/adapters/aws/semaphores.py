"""Semaphores in the table: all holders are one item, and so is each entry of a queue.

IAM: what `table` says.
"""

from __future__ import annotations

from itertools import islice

from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.table import Refused, Table


class DynamoSemaphores:
    def __init__(self, table: Table) -> None:
        self._semaphores = table

    def acquire_permit(self, semaphore: str, holder: str, *, permits: int) -> bool:
        acquired = self._semaphores.update(
            schema.semaphore_key(semaphore),
            "ADD #holders :me",
            when="attribute_not_exists(#holders) OR contains(#holders, :holder) OR size(#holders) < :permits",
            values={":me": {holder}, ":holder": holder, ":permits": permits},
        )
        return not isinstance(acquired, Refused)

    def release_permit(self, semaphore: str, holder: str) -> int:
        left = self._semaphores.update(schema.semaphore_key(semaphore), "DELETE #holders :me", values={":me": {holder}})
        assert not isinstance(left, Refused)  # noqa: S101 - it has no condition
        return len(left.get("holders", ()))

    def permit_holders(self, semaphore: str) -> frozenset[str]:
        item = self._semaphores.get(schema.semaphore_key(semaphore))
        return frozenset(item.get("holders", ())) if item else frozenset()

    def enqueue(self, semaphore: str, entry: str) -> None:
        self._semaphores.put(schema.queue_key(semaphore, entry), {"entry": entry})

    def dequeue(self, semaphore: str, entry: str) -> None:
        """As a batch of one: runtime functions may write batches, and have no right to delete otherwise."""
        self._semaphores.delete_batch([schema.queue_key(semaphore, entry)])

    def queue(self, semaphore: str, *, limit: int) -> tuple[str, ...]:
        ends = (schema.queue_key(semaphore, "").sk, schema.QUEUE_END)
        waiting = self._semaphores.query(schema.semaphore_key(semaphore).pk, page_size=min(limit, 1000), between=ends)
        return tuple(item["entry"] for item in islice(waiting, limit))
