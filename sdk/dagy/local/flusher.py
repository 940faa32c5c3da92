"""A thread that writes out, five times a second, what others may hold back that long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dagy.core.errors import LocalRecordsError

EVERY_S: Final = 0.2


class Flusher:
    def __init__(self, *flushes: Callable[[], None]) -> None:
        self._flushes = flushes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dagy-flusher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nothing is flushed afterwards. A repeat does nothing."""
        self._closed.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closed.wait(EVERY_S):
            for flush in self._flushes:
                with suppress(LocalRecordsError):  # the next fact that cannot wait meets the same, and tells
                    flush()
