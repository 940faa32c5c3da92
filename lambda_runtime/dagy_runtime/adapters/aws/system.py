"""The machine's clock and its source of chance."""

from __future__ import annotations

import secrets
import time

from dagy_runtime.adapters.ulids import UlidSource


class SystemClock:
    def now(self) -> float:
        return time.time()


class RandomIds:
    def __init__(self) -> None:
        self._ulids = UlidSource(time.time, secrets.randbits)

    def unique(self) -> str:
        return self._ulids.next()

    def secret(self) -> str:
        return secrets.token_urlsafe(32)
