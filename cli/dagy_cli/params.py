"""`--param key=value` and `--tag key=value`: repeated options that make a mapping."""

from __future__ import annotations

from collections.abc import Sequence

from dagy.core.errors import InvalidInput


def pairs(what: str, texts: Sequence[str]) -> dict[str, str]:
    """Split each at its first `=`. Raises: InvalidInput for one without it, or a key given twice."""
    found: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise InvalidInput(f"Invalid {what} '{text}', expected key=value")
        if key in found:
            raise InvalidInput(f"The {what} '{key}' is given twice")
        found[key] = value
    return found
