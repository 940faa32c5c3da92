"""Pages over values held in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from dagy_runtime.adapters.cursors import decode_cursor, encode_cursor
from dagy_runtime.values import Page

T = TypeVar("T")


class Listed(Generic[T]):
    """Values kept in the order of their sort keys, so that the last page costs what the first does. Not thread-safe."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._values: dict[str, T] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def put(self, key: str, value: T) -> None:
        if key not in self._values:
            insort(self._keys, key)
        self._values[key] = value

    def get(self, key: str) -> T | None:
        return self._values.get(key)

    def pop(self, key: str) -> T | None:
        if key in self._values:
            del self._keys[bisect_left(self._keys, key)]
        return self._values.pop(key, None)

    def upwards(self, after: str | None) -> Iterator[tuple[str, T]]:
        start = 0 if after is None else bisect_right(self._keys, after)
        return ((self._keys[place], self._values[self._keys[place]]) for place in range(start, len(self._keys)))

    def downwards(self, before: str | None) -> Iterator[tuple[str, T]]:
        end = len(self._keys) if before is None else bisect_left(self._keys, before)
        return ((self._keys[place], self._values[self._keys[place]]) for place in range(end - 1, -1, -1))


def first_page(items: Iterable[tuple[str, T]], *, list_name: str, limit: int) -> Page:
    """The first `limit` of what comes with its sort key, in the order of those."""
    given: list[tuple[str, T]] = []
    for item in items:
        if len(given) == limit:
            return Page(tuple(value for _, value in given), encode_cursor(list_name, given[-1][0]))
        given.append(item)
    return Page(tuple(value for _, value in given))


def page_of(
    items: Iterable[T], *, sort_key: Callable[[T], str], list_name: str, limit: int, cursor: str | None, newest: bool
) -> Page:
    """The first `limit` items after the cursor, by `sort_key`, downwards when `newest` come first. For short lists."""
    listed: Listed[T] = Listed()
    for item in items:
        listed.put(sort_key(item), item)
    after = decode_cursor(list_name, cursor)
    return first_page(listed.downwards(after) if newest else listed.upwards(after), list_name=list_name, limit=limit)
