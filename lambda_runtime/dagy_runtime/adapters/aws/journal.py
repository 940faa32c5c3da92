"""Events and dead letters in the table: written once, read in order. A letter that was replayed is marked.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from dagy_runtime.adapters import rules
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, page
from dagy_runtime.adapters.aws.run_items import RunItems
from dagy_runtime.adapters.aws.table import Refused, Table, setting
from dagy_runtime.adapters.cursors import decode_cursor
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

    def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        item = self._table.get(schema.dead_letter_key(letter_id))
        return self._items.dead_letter(item) if item else None

    def list_dead_letters(self, *, limit: int, cursor: str | None = None, run_id: str | None = None) -> Page:
        list_name = rules.dead_letter_list(run_id)
        found = self._table.query(
            "DEADLETTERS",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            is_newest_first=True,
            page_size=limit + 1 if run_id is None else FILTERED_PAGE_SIZE,
        )
        matches = None if run_id is None else lambda item: item.get("run_id") == run_id
        return page(
            found, list_name=list_name, limit=limit, sort_key="gsi4sk", read=self._items.dead_letter, matches=matches
        )

    def mark_replayed(self, letter_id: str, *, at: str, by: str, run_id: str | None) -> DeadLetter | None:
        change, values = setting({"replayed_at": at, "replayed_by": by, "replayed_as": run_id})
        key = schema.dead_letter_key(letter_id)
        is_first = "attribute_exists(#pk) AND attribute_not_exists(#replayed_at)"
        stands = self._table.update(key, change, when=is_first, values=values)
        item = stands.found if isinstance(stands, Refused) else stands
        return self._items.dead_letter(item) if item else None
