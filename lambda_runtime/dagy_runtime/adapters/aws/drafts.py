"""Drafts in the table: a small item that is listed, and the canvas in one of its own that is not.

IAM: dynamodb:GetItem, PutItem, UpdateItem, DeleteItem on the table, dynamodb:Query on index gsi4.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from dagy.core.errors import InvalidInput, Unavailable
from dagy_runtime.adapters import rules
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, page
from dagy_runtime.adapters.aws.table import Put, Table, Update, setting
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.values import Draft, Page

MAX_CANVAS_BYTES: Final = 350 * 1024
"""Compressed. An item may have 400 KiB."""
_TRIES: Final = 8


class DynamoDrafts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put_draft(self, draft: Draft, *, expected_version: int) -> Draft:
        """Raises: InvalidInput for a canvas that is too large compressed, and what the port says."""
        stored, token = replace(draft, version=expected_version + 1), uuid.uuid4().hex
        canvas = gzip.compress((draft.canvas_json or "").encode(), mtime=0)
        if len(canvas) > MAX_CANVAS_BYTES:
            raise InvalidInput(
                f"The canvas has {len(canvas):,} bytes compressed, more than {MAX_CANVAS_BYTES:,}", "Split the draft."
            )
        change, values = setting({**_item(stored), "changed_by_call": token})
        when = "#version = :before" if expected_version else "attribute_not_exists(#pk)"
        expected = {":before": expected_version} if expected_version else {}
        reasons = self._table.transact(
            [
                Update(schema.draft_key(draft.id), change, when, {**values, **expected}),
                Put(schema.canvas_key(draft.id), {"canvas": canvas, "version": stored.version}),
            ]
        )
        found = reasons[0].found if reasons and reasons[0] else None
        if reasons is not None and (found or {}).get("changed_by_call") != token:
            version = found["version"] if found else 0
            raise rules.draft_changed_meanwhile(replace(draft, version=expected_version), version)
        return stored

    def get_draft(self, draft_id: str) -> Draft | None:
        """A change may come between the readings of the two items; then both are read again."""
        keys = (schema.draft_key(draft_id), schema.canvas_key(draft_id))
        for _ in range(_TRIES):
            found = self._table.get_many(keys)
            if keys[0] not in found:
                return None
            item, canvas = found[keys[0]], found.get(keys[1], {})
            if item["version"] == canvas.get("version"):
                return replace(_draft(item), canvas_json=gzip.decompress(canvas["canvas"]).decode())
        raise Unavailable(f"Draft '{draft_id}' is being changed all the time", "Try again.")

    def list_drafts(self, *, limit: int, cursor: str | None = None, tags: Mapping[str, str] | None = None) -> Page:
        list_name = list_id("drafts", dict(tags or {}))
        found = self._table.query(
            "DRAFTS",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            is_newest_first=True,
            page_size=FILTERED_PAGE_SIZE if tags else limit + 1,
        )
        return page(
            found,
            list_name=list_name,
            limit=limit,
            sort_key="gsi4sk",
            read=_draft,
            matches=(lambda item: rules.has_tags(item["tags"], tags)) if tags else None,
        )

    def delete_draft(self, draft_id: str) -> bool:
        """First what is listed. A canvas alone is nothing, and is replaced when its draft comes back."""
        is_there = self._table.delete(schema.draft_key(draft_id)) is not None
        self._table.delete(schema.canvas_key(draft_id))
        return is_there


def _item(draft: Draft) -> Item:
    return {
        "id": draft.id,
        "name": draft.name,
        "tags": dict(draft.tags),
        "version": draft.version,
        "created_at": draft.created_at,
        "updated_at": draft.updated_at,
        "created_by": draft.created_by,
        "updated_by": draft.updated_by,
        **schema.draft_index(draft.id, draft.created_at),
    }


def _draft(item: Item) -> Draft:
    return Draft(
        id=item["id"],
        name=item["name"],
        canvas_json=None,
        tags=item["tags"],
        version=item["version"],
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        created_by=item["created_by"],
        updated_by=item["updated_by"],
    )
