"""Time, and ids that nobody else has."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""


class Ids(Protocol):
    def unique(self) -> str:
        """A new id of 26 characters that sorts by the time it was made (a ULID)."""

    def secret(self) -> str:
        """256 bits of chance, URL-safe text."""
