"""Pages of a list in the table, the same cursors as every other store's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.cursors import encode_cursor
from dagy_runtime.values import Page

FILTERED_PAGE_SIZE: Final = 200  # items looked at per request when some will not match
MOST_LOOKED_AT: Final = 1000
"""Items per page. A filter that hardly anything matches would otherwise read a whole list for one page."""


def page(
    items: Iterable[Item],
    *,
    list_name: str,
    limit: int,
    sort_key: str,
    read: Callable[[Item], Any],
    matches: Callable[[Item], bool] | None = None,
) -> Page:
    """The first `limit` of `items` that match, which begin after the cursor. `sort_key` is the attribute they are
    sorted by.

    Looks one further, so that a cursor means there is more; but where some do not match, at no more than a thousand
    items, after which the cursor means that there may be.
    """
    given: list[Item] = []
    last: Item = {}
    for looked_at, item in enumerate(items):
        is_match = matches is None or matches(item)
        if (matches and looked_at == MOST_LOOKED_AT) or (is_match and len(given) == limit):
            return Page(tuple(map(read, given)), encode_cursor(list_name, last[sort_key]))
        if is_match:
            given.append(item)
        last = item
    return Page(tuple(map(read, given)))
