"""Seats and queues in memory."""

from __future__ import annotations

import threading
from collections import defaultdict


class MemorySeats:
    def __init__(self) -> None:
        self._seats_lock = threading.Lock()
        self._seated: defaultdict[str, set[str]] = defaultdict(set)
        self._queues: defaultdict[str, set[str]] = defaultdict(set)

    def take_seat(self, hall: str, who: str, *, seats: int) -> bool:
        with self._seats_lock:
            seated = self._seated[hall]
            if who not in seated and len(seated) >= seats:
                return False
            seated.add(who)
            return True

    def leave_seat(self, hall: str, who: str) -> int:
        with self._seats_lock:
            self._seated[hall].discard(who)
            return len(self._seated[hall])

    def seated(self, hall: str) -> frozenset[str]:
        with self._seats_lock:
            return frozenset(self._seated[hall])

    def queue_up(self, hall: str, entry: str) -> None:
        with self._seats_lock:
            self._queues[hall].add(entry)

    def leave_queue(self, hall: str, entry: str) -> None:
        with self._seats_lock:
            self._queues[hall].discard(entry)

    def queue(self, hall: str, *, limit: int) -> tuple[str, ...]:
        with self._seats_lock:
            return tuple(sorted(self._queues[hall])[:limit])
