"""API keys in memory."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from dagy.core.errors import Conflict
from dagy_runtime.adapters.cursors import list_id
from dagy_runtime.adapters.memory.pages import page_of
from dagy_runtime.values import ApiKey, Page


class MemoryKeys:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}

    def put_key(self, key: ApiKey) -> None:
        with self._lock:
            if key.id in self._keys:
                raise Conflict(f"A key with the id '{key.id}' exists")
            self._keys[key.id] = key

    def get_key(self, key_id: str) -> ApiKey | None:
        with self._lock:
            return self._keys.get(key_id)

    def list_keys(self, *, limit: int, cursor: str | None = None) -> Page:
        with self._lock:
            keys = list(self._keys.values())
        return page_of(
            keys,
            sort_key=lambda key: f"{key.created_at}#{key.id}",
            list_name=list_id("keys"),
            limit=limit,
            cursor=cursor,
            newest=True,
        )

    def revoke_key(self, key_id: str, *, at: str) -> ApiKey | None:
        with self._lock:
            key = self._keys.get(key_id)
            if key is None:
                return None
            self._keys[key_id] = replace(key, revoked_at=key.revoked_at or at)
            return self._keys[key_id]
