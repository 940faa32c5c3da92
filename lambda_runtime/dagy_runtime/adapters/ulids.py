"""ULIDs: ids of 26 characters that sort by the millisecond they were made in, and within one by order of making.

Format: 48 bits of time and 80 of chance in Crockford's base 32, https://github.com/ulid/spec.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHANCE_BITS: Final = 80


class UlidSource:
    """Makes ids that only ever grow within this process, even when its clock steps back. Thread-safe."""

    def __init__(self, now: Callable[[], float], chance: Callable[[int], int]) -> None:
        """`now` gives seconds since the epoch, `chance` an int of as many random bits as asked for."""
        self._now = now
        self._chance = chance
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        with self._lock:
            fresh = int(self._now() * 1000) << _CHANCE_BITS | self._chance(_CHANCE_BITS)
            is_later_ms = fresh >> _CHANCE_BITS > self._last >> _CHANCE_BITS
            self._last = fresh if is_later_ms else self._last + 1
            value = self._last
        return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
