"""Answers to requests with an idempotency key, in memory."""

from __future__ import annotations

import threading

from msgspec import Struct
from msgspec.structs import replace

from dagy_runtime.adapters import rules
from dagy_runtime.ports import Begun, Remembered, UnderWay


class _Entry(Struct, frozen=True):
    request_hash: str
    owner: str
    until: float
    answer: Remembered | None = None


class MemoryAnswers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def begin(
        self, key: str, *, request_hash: str, owner: str, now: float, lease_s: float
    ) -> Begun | UnderWay | Remembered:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                if entry.request_hash != request_hash:
                    raise rules.answer_of_another_request()
                if entry.answer is not None:
                    return entry.answer
                if entry.owner != owner and entry.until > now:
                    return UnderWay()
            self._entries[key] = _Entry(request_hash, owner, now + lease_s)
            return Begun()

    def finish(self, key: str, *, owner: str, status: int, body: bytes | None) -> None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.owner == owner:
                self._entries[key] = replace(entry, answer=Remembered(status, body))

    def give_up(self, key: str, *, owner: str) -> None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.owner == owner and entry.answer is None:
                self._entries[key] = replace(entry, until=0.0)
