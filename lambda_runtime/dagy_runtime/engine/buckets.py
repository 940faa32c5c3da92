"""Token buckets: so many requests at once, so many a second in the long run, for each caller."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from msgspec import Struct

MAX_CALLERS: Final = 10_000


class Rate(Struct, frozen=True):
    per_s: float
    burst: int


class Buckets:
    """Thread-safe. In memory: each process counts for itself. A caller who is forgotten starts with a full bucket."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, as of when

    def take(self, caller: str, *, now: float) -> float | None:
        """None when the caller may go on; else in how many seconds the next request may come. Nothing is taken then."""
        with self._lock:
            left, since = self._left.get(caller, (float(self._rate.burst), now))
            left = min(self._rate.burst, left + max(0.0, now - since) * self._rate.per_s)
            is_allowed = left >= 1
            self._left[caller] = (left - 1 if is_allowed else left, now)
            self._left.move_to_end(caller)
            if len(self._left) > MAX_CALLERS:
                self._left.popitem(last=False)
        return None if is_allowed else (1 - left) / self._rate.per_s
