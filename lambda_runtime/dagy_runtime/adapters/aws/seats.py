"""Seats and queues in the table: who sits is one item, and so is each who waits.

IAM: what `table` says.
"""

from __future__ import annotations

from itertools import islice

from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.table import Refused, Table


class DynamoSeats:
    def __init__(self, table: Table) -> None:
        self._seats = table

    def take_seat(self, hall: str, who: str, *, seats: int) -> bool:
        taken = self._seats.update(
            schema.seats_key(hall),
            "ADD #seated :me",
            when="attribute_not_exists(#seated) OR contains(#seated, :who) OR size(#seated) < :seats",
            values={":me": {who}, ":who": who, ":seats": seats},
        )
        return not isinstance(taken, Refused)

    def leave_seat(self, hall: str, who: str) -> int:
        left = self._seats.update(schema.seats_key(hall), "DELETE #seated :me", values={":me": {who}})
        assert not isinstance(left, Refused)  # noqa: S101 - it has no condition
        return len(left.get("seated", ()))

    def seated(self, hall: str) -> frozenset[str]:
        item = self._seats.get(schema.seats_key(hall))
        return frozenset(item.get("seated", ())) if item else frozenset()

    def queue_up(self, hall: str, entry: str) -> None:
        self._seats.put(schema.queue_key(hall, entry), {"entry": entry})

    def leave_queue(self, hall: str, entry: str) -> None:
        """As a batch of one: runtime functions may write batches, and have no right to delete otherwise."""
        self._seats.delete_batch([schema.queue_key(hall, entry)])

    def queue(self, hall: str, *, limit: int) -> tuple[str, ...]:
        ends = (schema.queue_key(hall, "").sk, schema.QUEUE_END)
        waiting = self._seats.query(schema.seats_key(hall).pk, page_size=min(limit, 1000), between=ends)
        return tuple(item["entry"] for item in islice(waiting, limit))
