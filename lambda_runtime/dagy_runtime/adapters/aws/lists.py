"""Pages of a list in the table, the same cursors as every other store's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.cursors import encode_cursor
from dagy_runtime.values import Page

FILTERED_PAGE_SIZE = 200  # items looked at per request when some will not match


def page(items: Iterable[Item], *, list_name: str, limit: int, sort_key: str, read: Callable[[Item], Any]) -> Page:
    """The first `limit` of `items`, which begin after the cursor. `sort_key` is the attribute they are sorted by.

    Looks one further, so that a cursor means there is more.
    """
    found = list(islice(items, limit + 1))
    given = found[:limit]
    cursor = encode_cursor(list_name, given[-1][sort_key]) if len(found) > limit else None
    return Page(tuple(map(read, given)), cursor)
