"""A clock that stands still until it is told to go on, and ids that are the same in every run of a test."""

from __future__ import annotations

import base64
import random
import threading
from typing import Final

from dagy_runtime.adapters.ulids import UlidSource
from dagy_runtime.ports import Clock

START_S: Final = 1_772_625_600.0  # 2026-03-04T12:00:00Z


class FakeClock:
    """Thread-safe."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now_s = start_s
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now_s

    def advance(self, seconds: float) -> float:
        """Go on by `seconds`; the time it is now."""
        with self._lock:
            self._now_s += seconds
            return self._now_s


class SeededIds:
    """ULIDs by `clock` whose chance comes from `seed`: the same calls give the same ids. No secrets."""

    def __init__(self, clock: Clock, *, seed: int = 0) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._secrets = random.Random(seed)  # noqa: S311
        self._ulids = UlidSource(clock.now, chance.getrandbits)

    def unique(self) -> str:
        return self._ulids.next()

    def secret(self) -> str:
        return base64.urlsafe_b64encode(self._secrets.randbytes(32)).decode().rstrip("=")
