"""Sessions and the audit log in the table.

IAM: dynamodb:BatchGetItem, PutItem, UpdateItem, Query on the table.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Final

from msgspec.structs import asdict

from dagy.core.timestamps import to_epoch
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.adapters.cursors import decode_cursor, encode_cursor, list_id
from dagy_runtime.ports import Clock
from dagy_runtime.ports.people import AuditEntry, Ruling, Standing, is_about
from dagy_runtime.values import Page, Role

_DAY_S: Final = 86_400
AUDIT_DAYS: Final = 400
LOOKED_AT: Final = 2000
"""Entries that one page looks at, at most, when a filter lets few through."""


class DynamoSessions:
    def __init__(self, table: Table) -> None:
        self._table = table

    def standing(self, user_id: str, session_id: str) -> Standing:
        of_user, of_session = schema.user_key(user_id), schema.session_key(session_id)
        found = self._table.get_many([of_user, of_session])
        user = found.get(of_user, {})
        ruling = Ruling(Role(user["role"]), float(user["ruled_at"])) if "role" in user else None
        void_at = float(user["void_at"]) if "void_at" in user else None
        return Standing(user.get("email"), ruling, void_at, is_ended=of_session in found)

    def remember(self, user_id: str, email: str) -> None:
        self._table.update(schema.user_key(user_id), "SET #email = :email", values={":email": email})

    def rule(self, user_id: str, ruling: Ruling) -> None:
        self._table.update(
            schema.user_key(user_id),
            "SET #role = :role, #ruled_at = :at",
            values={":role": ruling.role.value, ":at": ruling.at},
        )

    def void(self, user_id: str, *, at: float) -> None:
        self._table.update(schema.user_key(user_id), "SET #void_at = :at", values={":at": at})

    def end(self, session_id: str, *, until: float) -> None:
        # DynamoDB may be two days late to delete, never early.
        self._table.put(schema.session_key(session_id), {schema.TTL_ATTRIBUTE: math.ceil(until)})


class DynamoAuditLog:
    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock

    def append(self, entry: AuditEntry) -> None:
        ttl = math.ceil(to_epoch(entry.at)) + AUDIT_DAYS * _DAY_S
        self._table.put(schema.audit_key(entry.at, entry.id), {**asdict(entry), schema.TTL_ATTRIBUTE: ttl})

    def list_entries(
        self, *, limit: int, cursor: str | None = None, actor: str | None = None, resource: str | None = None
    ) -> Page:
        list_name = list_id("audit", actor, resource)
        after = decode_cursor(list_name, cursor)
        found: list[AuditEntry] = []
        looked_at, last = 0, after
        for item in self._newest_first(after, page_size=limit + 1):
            if len(found) == limit or looked_at == LOOKED_AT:
                return Page(tuple(found), encode_cursor(list_name, str(last)))
            looked_at, last = looked_at + 1, f"{item['at'][:7]}#{item['id']}"
            entry = _entry(item)
            if is_about(entry, actor=actor, resource=resource):
                found.append(entry)
        return Page(tuple(found))

    def _newest_first(self, after: str | None, *, page_size: int) -> Iterator[Item]:
        """Month by month, back to the oldest that can be there."""
        month, _, entry_id = after.partition("#") if after else (None, "", None)
        for partition in self._months():
            if month is None or partition <= month:
                below = entry_id if partition == month else None
                yield from self._table.query(
                    f"AUDIT#{partition}", after=below, is_newest_first=True, page_size=page_size
                )

    def _months(self) -> Iterator[str]:
        now = self._clock.now()
        day = dt.datetime.fromtimestamp(now + _DAY_S, dt.timezone.utc).date()  # clocks differ: never too early
        oldest = dt.datetime.fromtimestamp(now - AUDIT_DAYS * _DAY_S, dt.timezone.utc).date().replace(day=1)
        day = day.replace(day=1)
        while day >= oldest:
            yield f"{day:%Y-%m}"
            day = (day - dt.timedelta(days=1)).replace(day=1)


def _entry(item: Item) -> AuditEntry:
    return AuditEntry(**{name: item[name] for name in AuditEntry.__struct_fields__})
