"""Pages over values held in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from dagy_runtime.adapters.cursors import decode_cursor, encode_cursor
from dagy_runtime.values import Page

T = TypeVar("T")


def page_of(
    items: Iterable[T], *, sort_key: Callable[[T], str], list_name: str, limit: int, cursor: str | None, newest: bool
) -> Page:
    """The first `limit` items after the cursor, by `sort_key`, downwards when `newest` come first."""
    after = decode_cursor(list_name, cursor)
    rest = [item for item in items if after is None or (sort_key(item) < after if newest else sort_key(item) > after)]
    rest.sort(key=sort_key, reverse=newest)
    given = tuple(rest[:limit])
    return Page(given, encode_cursor(list_name, sort_key(given[-1])) if given and len(rest) > limit else None)
