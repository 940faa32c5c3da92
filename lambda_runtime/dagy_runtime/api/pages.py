"""Lists that fit into one answer: Lambda returns at most 6 MB, whatever `limit` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from dagy_runtime.values import Page

MAX_PAGE_BYTES: Final = 4 * 1024 * 1024

T = TypeVar("T")


def fitting(read: Callable[[int], Page], view: Callable[[Any], T], limit: int) -> tuple[list[T], str | None]:
    """Up to `limit` items as `view` shows them, and the cursor after them. Reads again with a quarter of the limit
    while the items are too large; one item alone is always given.
    """
    while True:
        page = read(limit)
        items = [view(item) for item in page.items]
        if limit == 1 or len(msgspec.json.encode(items)) <= MAX_PAGE_BYTES:
            return items, page.cursor
        limit = max(1, limit // 4)
