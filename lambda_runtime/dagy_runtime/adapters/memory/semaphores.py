"""Semaphores in memory."""

from __future__ import annotations

import threading
from collections import defaultdict


class MemorySemaphores:
    def __init__(self) -> None:
        self._semaphores_lock = threading.Lock()
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._queues: defaultdict[str, set[str]] = defaultdict(set)

    def acquire_permit(self, semaphore: str, holder: str, *, permits: int) -> bool:
        with self._semaphores_lock:
            holders = self._holders[semaphore]
            if holder not in holders and len(holders) >= permits:
                return False
            holders.add(holder)
            return True

    def release_permit(self, semaphore: str, holder: str) -> int:
        with self._semaphores_lock:
            self._holders[semaphore].discard(holder)
            return len(self._holders[semaphore])

    def permit_holders(self, semaphore: str) -> frozenset[str]:
        with self._semaphores_lock:
            return frozenset(self._holders[semaphore])

    def enqueue(self, semaphore: str, entry: str) -> None:
        with self._semaphores_lock:
            self._queues[semaphore].add(entry)

    def dequeue(self, semaphore: str, entry: str) -> None:
        with self._semaphores_lock:
            self._queues[semaphore].discard(entry)

    def queue(self, semaphore: str, *, limit: int) -> tuple[str, ...]:
        with self._semaphores_lock:
            return tuple(sorted(self._queues[semaphore])[:limit])
