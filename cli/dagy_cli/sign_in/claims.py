"""What a token says of itself, for display: nothing is verified here. Only the API decides what a token is worth."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass
from typing import Any, Final

from dagy.core.errors import InvalidInput
from dagy.core.timestamps import to_epoch

LATEST: Final = 1e11
"""In seconds since the epoch; what `dagy.credentials` takes for a time."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires_at` is in seconds since the epoch. 0 and "" stand for what the token does not say, or not usably."""

    expires_at: float = 0
    email: str = ""


def read_claims(token: str) -> Claims:
    """Of a JWT its claims, of anything else none. Never an error: an odd token may still be a good one."""
    parts = token.split(".")
    payload = _decoded(parts[1]) if len(parts) == 3 else None
    if not isinstance(payload, dict):
        return Claims()
    return Claims(time_of(payload.get("exp")), email_of(payload.get("email")))


def _decoded(part: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None


def time_of(value: Any) -> float:
    """In seconds since the epoch, of a number or ISO 8601 text; 0 for what is no time."""
    if isinstance(value, str):
        with contextlib.suppress(InvalidInput, OverflowError):
            return time_of(to_epoch(value))
    is_time = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < LATEST
    return float(value) if is_time else 0


def email_of(value: Any) -> str:
    """Shown on a terminal, so nothing that would steer one."""
    return value if isinstance(value, str) and len(value) <= 254 and value.isprintable() else ""
