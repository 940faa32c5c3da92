"""Events and dead letters in the table: written once, read in order.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.lists import page
from dagy_runtime.adapters.aws.run_items import RunItems
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.values import DeadLetter, Event, Page


class DynamoJournal:
    def __init__(self, table: Table, items: RunItems) -> None:
        self._table = table
        self._items = items

    def append_events(self, events: Sequence[Event]) -> None:
        """An event is the same whenever it is sent, so a repeat replaces it by itself."""
        self._table.put_batch(
            (schema.event_key(event.run_id, event.id), self._items.of_event(event)) for event in events
        )

    def list_events(self, run_id: str, *, limit: int, after: str | None = None) -> Page:
        partition = schema.event_key(run_id, "").pk
        first = schema.EVENT_PREFIX + (after or "")
        stored = self._table.query(partition, page_size=limit + 2, between=(first, schema.EVENT_END))
        found = list(islice((item for item in stored if item["id"] != after), limit + 1))
        events = tuple(self._items.event(item) for item in found[:limit])
        return Page(events, events[-1].id if len(found) > limit else None)

    def put_dead_letter(self, letter: DeadLetter) -> None:
        self._table.put(schema.dead_letter_key(letter.id), self._items.of_dead_letter(letter))

    def list_dead_letters(self, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("dead-letters")
        found = self._table.query(
            "DEADLETTERS",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            is_newest_first=True,
            page_size=limit + 1,
        )
        return page(found, list_name=list_name, limit=limit, sort_key="gsi4sk", read=self._items.dead_letter)
