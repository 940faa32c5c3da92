"""Drafts in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from msgspec.structs import replace

from dagy_runtime.adapters import rules
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.adapters.memory.pages import Listed, first_page
from dagy_runtime.values import Draft, Page


class MemoryDrafts:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drafts: dict[str, Draft] = {}
        self._order: Listed[str] = Listed()

    def put_draft(self, draft: Draft, *, expected_version: int) -> Draft:
        with self._lock:
            before = self._drafts.get(draft.id)
            version = before.version if before else 0
            if version != expected_version:
                raise rules.draft_changed_meanwhile(replace(draft, version=expected_version), version)
            stored = replace(draft, version=version + 1)
            self._drafts[draft.id] = stored
            self._order.put(_sort_key(stored), draft.id)
            return stored

    def get_draft(self, draft_id: str) -> Draft | None:
        with self._lock:
            return self._drafts.get(draft_id)

    def list_drafts(self, *, limit: int, cursor: str | None = None, tags: Mapping[str, str] | None = None) -> Page:
        list_name = list_id("drafts", dict(tags or {}))
        after = decode_cursor(list_name, cursor)
        with self._lock:
            drafts = ((key, self._drafts[draft_id]) for key, draft_id in self._order.downwards(after))
            found = (
                (key, replace(draft, canvas_json=None)) for key, draft in drafts if rules.has_tags(draft.tags, tags)
            )
            return first_page(found, list_name=list_name, limit=limit)

    def delete_draft(self, draft_id: str) -> bool:
        with self._lock:
            draft = self._drafts.pop(draft_id, None)
            if draft is not None:
                self._order.pop(_sort_key(draft))
            return draft is not None


def _sort_key(draft: Draft) -> str:
    return f"{draft.created_at}#{draft.id}"
