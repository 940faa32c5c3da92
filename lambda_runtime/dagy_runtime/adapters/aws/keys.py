"""API keys in the table.

IAM: dynamodb:GetItem, PutItem, UpdateItem on the table, dynamodb:Query on index gsi4.
"""

from __future__ import annotations

import uuid

from dagy.core.errors import Conflict
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.lists import page
from dagy_runtime.adapters.aws.registry_items import api_key, of_api_key
from dagy_runtime.adapters.aws.table import Refused, Table
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.values import ApiKey, Page


class DynamoKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put_key(self, key: ApiKey) -> None:
        token = uuid.uuid4().hex
        refused = self._table.put(
            schema.api_key_key(key.id),
            {**of_api_key(key), "created_by_call": token},
            when="attribute_not_exists(#pk)",
        )
        if refused and (refused.found or {}).get("created_by_call") != token:
            raise Conflict(f"A key with the id '{key.id}' exists")

    def get_key(self, key_id: str) -> ApiKey | None:
        item = self._table.get(schema.api_key_key(key_id))
        return api_key(item) if item else None

    def list_keys(self, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("keys")
        found = self._table.query(
            "KEYS",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            is_newest_first=True,
            page_size=limit + 1,
        )
        return page(found, list_name=list_name, limit=limit, sort_key="gsi4sk", read=api_key)

    def revoke_key(self, key_id: str, *, at: str) -> ApiKey | None:
        revoked = self._table.update(
            schema.api_key_key(key_id),
            "SET #revoked_at = if_not_exists(#revoked_at, :at)",
            when="attribute_exists(#pk)",
            values={":at": at},
        )
        return None if isinstance(revoked, Refused) else api_key(revoked)
