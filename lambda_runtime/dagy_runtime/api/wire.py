"""From bytes to request values and back. Refuses what JSON readers disagree about, so that nobody is surprised by
what a proxy, a client or a store makes of it: duplicate keys, NaN, numbers beyond 64 bits, half surrogate pairs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec

from dagy.core.errors import InvalidInput
from dagy_runtime.api.errors import MalformedBody

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
_INT64: Final = range(-(2**63), 2**63)

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


def read_body(data: bytes, kind: type[T]) -> T:
    """Raises: MalformedBody when it is not JSON we read; InvalidInput when a field is missing, unknown or of the
    wrong type, naming it.
    """
    value = parse_json(data)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The body does not fit: {error}", f"See {kind.__name__} in the API reference.") from None


def read_query(pairs: Iterable[tuple[str, str]], kind: type[S]) -> S:
    """Query parameters as a struct; only list fields may be given more than once.

    Raises: InvalidInput naming the parameter.
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InvalidInput(f"Unknown query parameter {name[:50]!r}", f"Known here: {known}")
        if fields[name].default_factory is list:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise InvalidInput(f"Query parameter '{name}' is given twice", "Give it once.")
        else:
            values[name] = text
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The query does not fit: {error}") from None


def parse_json(data: bytes) -> Any:
    """Raises: MalformedBody saying where."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # also the interpreter's own limit for the digits of an integer
        raise MalformedBody(f"The body is not JSON: {error}") from None
    _check(value)
    return value


def encode(answer: Any) -> bytes:
    return msgspec.json.encode(answer)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise MalformedBody(f"The key {twice[:50]!r} appears twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise MalformedBody(f"{name} is not JSON")


def _check(value: Any) -> None:
    """Depth, numbers and strings, without recursion."""
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(item, dict):
            stack.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            stack.extend((part, depth + 1) for part in item)
        elif isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float) and not isfinite(item):
            raise MalformedBody("A number is too large for a 64-bit float")
        elif isinstance(item, int) and item not in _INT64:
            raise MalformedBody("An integer does not fit into 64 bits", "Send it as a string.")


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise MalformedBody("A string holds half of a surrogate pair") from None


def _too_deep() -> MalformedBody:
    return MalformedBody(f"The body is nested deeper than {MAX_DEPTH} levels")
