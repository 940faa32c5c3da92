"""What a task was given, as a short text: equal texts mean equal arguments.

Results of other tasks stand in it by their task run's id. The text is made for every task of every run, so plain
values are their own text, and only the rest is encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dagy.core.errors import ArtifactSerializationError
from dagy.core.refs import LEAVES, TaskOutput, hydrate
from dagy.results import PICKLE, encode

if TYPE_CHECKING:
    from dagy.authoring import TaskCall

_LONGEST_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class _ResultOf:
    """Takes the place of a result in data that is encoded."""

    task_run_id: str


def argument_texts(calls: Iterable[TaskCall]) -> list[str]:
    """One for each call; empty for arguments that cannot be compared (locks, functions, open files)."""
    known: dict[int, str] = {}  # by the id of what is given to many tasks; the calls keep it alive
    return [_text_of_call(call, known) for call in calls]


def _text_of_call(call: TaskCall, known: dict[int, str]) -> str:
    try:
        parts = [_known_text(value, known) for value in call.args]
        for name, value in call.kwargs.items():
            parts.append(f"{name}={_known_text(value, known)}")
    except (_NotComparable, RecursionError):
        return ""
    text = f"({','.join(parts)})"
    if len(text) <= _LONGEST_CHARS:
        return text
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


class _NotComparable(Exception):
    pass


def _known_text(value: Any, known: dict[int, str]) -> str:
    if type(value) in LEAVES:
        return repr(value)
    if type(value) is TaskOutput:
        return f"@{value.task_run_id}"
    text = known.get(id(value))
    if text is None:
        text = known[id(value)] = _text(value)
    return text


def _text(value: Any) -> str:
    """No two values that are not equal have the same."""
    kind = type(value)
    if kind in LEAVES:
        return repr(value)
    if kind is TaskOutput:
        return f"@{value.task_run_id}"
    if kind is list:
        return f"[{','.join(map(_text, value))}]"
    if kind is tuple:
        return f"({','.join(map(_text, value))},)"
    if kind is dict:
        return f"{{{','.join(f'{_text(key)}:{_text(item)}' for key, item in value.items())}}}"
    return _encoded(value)


def _encoded(value: Any) -> str:
    try:
        encoded = encode(hydrate(value, _ResultOf))
    except ArtifactSerializationError as error:
        raise _NotComparable from error
    if encoded.codec == PICKLE and callable(value):
        raise _NotComparable  # only its name is pickled, not what it does
    return f"#{encoded.codec}:{encoded.sha256}"
