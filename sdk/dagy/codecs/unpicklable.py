"""Finding what in a value cannot be pickled, so that the error can say where it is."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import Any, Final

_DEEPEST: Final = 50  # levels; beyond that the place is not worth the time


def first_unpicklable(value: Any) -> tuple[str, Any]:
    """Where it is, written as Python (`['rows'][3].connection`, empty for the value itself), and what it is."""
    path, current = "", value
    for _ in range(_DEEPEST):
        step = next(((name, part) for name, part in _parts(current) if not _pickles(part)), None)
        if step is None:
            break
        path, current = path + step[0], step[1]
    return path, current


def _pickles(value: Any) -> bool:
    try:
        pickle.dumps(value, protocol=5)
    except Exception:  # whatever a class's own __reduce__ raises
        return False
    return True


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{at}]", item) for at, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from (("{...}", item) for item in value)
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        yield from ((f".{name}", item) for name, item in vars(value).items())
