"""The two forms of a moment: seconds since the epoch, to calculate with, and ISO 8601 text, to store and show."""

from __future__ import annotations

import datetime as dt
from typing import Final

from dagy.core.errors import InvalidInput

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_SECOND: Final = dt.timedelta(seconds=1)


def to_iso(epoch_s: float) -> str:
    """`2026-03-04T12:00:00.000Z`: UTC, milliseconds rounded down, so that texts sort as the moments do."""
    moment = _EPOCH + dt.timedelta(microseconds=round(epoch_s * 1_000_000))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def to_epoch(iso: str) -> float:
    """Seconds since the epoch. A text without an offset is read as UTC. Raises: InvalidInput for any other text."""
    try:
        moment = dt.datetime.fromisoformat(iso[:-1] + "+00:00" if iso.endswith("Z") else iso)
    except ValueError:
        raise InvalidInput(f"Not an ISO 8601 time: {iso!r}", "For example 2026-03-04T12:00:00Z.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return (moment - _EPOCH) / _SECOND
