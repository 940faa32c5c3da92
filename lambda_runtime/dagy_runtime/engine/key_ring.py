"""The pool's public keys, kept for a while. Nobody can make us ask for them often, whatever tokens are sent."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from dagy.core.errors import Unavailable
from dagy_runtime.engine.rs256 import is_usable
from dagy_runtime.ports import Clock
from dagy_runtime.ports.people import PublicKeys, RsaKey

MAX_KEYS: Final = 20
RENEWED_AFTER_S: Final = 3600.0
ASKED_AT_MOST_EVERY_S: Final = 30.0
ASKED_AGAIN_S: Final = 2.0  # while there are none
KEPT_S: Final = 86_400.0
"""How long keys are good when the pool does not answer. It changes them about never."""


class KeyRing:
    """Thread-safe."""

    def __init__(self, source: PublicKeys, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, RsaKey] = {}
        self._fetched_at = self._asked_at = float("-inf")

    def find(self, key_id: str) -> RsaKey | None:
        """None for a key that the pool does not have; one that is younger than half a minute may be taken for such.

        Raises: Unavailable when there are no keys to judge by.
        """
        with self._lock:
            now = self._clock.now()
            is_due = key_id not in self._keys or now - self._fetched_at >= RENEWED_AFTER_S
            pause_s = ASKED_AT_MOST_EVERY_S if self._keys else ASKED_AGAIN_S
            if is_due and now - self._asked_at >= pause_s:
                self._ask(now)
            if now - self._fetched_at >= KEPT_S:
                raise Unavailable("The user pool's keys could not be fetched", "Try again.")
            return self._keys.get(key_id)

    def _ask(self, now: float) -> None:
        self._asked_at = now
        try:
            found = self._source.fetch()
        except Unavailable:
            return
        usable = [(key_id, key) for key_id, key in found.items() if is_usable(key)]
        self._keys, self._fetched_at = dict(usable[:MAX_KEYS]), now
