"""The cursors of lists: which list it is, and the sort key of the last item given.

A page begins after a sort key, not at a place, so items that come or go between two pages make none be given
twice and none be left out. The text is opaque to callers but not secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from dagy.core.errors import InvalidInput

MAX_SORT_KEY_BYTES: Final = 1024


def list_id(kind: str, *filters: object) -> str:
    """Names one list: a cursor belongs to its kind and its filters."""
    digest = hashlib.sha256(json.dumps(filters, sort_keys=True, default=str).encode()).hexdigest()
    return f"{kind}:{digest[:12]}"


def encode_cursor(list_name: str, after: str) -> str:
    text = json.dumps({"list": list_name, "after": after}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(list_name: str, cursor: str | None) -> str | None:
    """The sort key to go on after; None for the first page.

    Raises: InvalidInput for a text that is not a cursor, or one of another list or other filters.
    """
    if cursor is None:
        return None
    try:
        data = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        found, after = data["list"], data["after"]
    except (ValueError, KeyError, TypeError):
        raise _refused("is not a cursor", cursor) from None
    if found != list_name or not isinstance(after, str) or not _is_sort_key(after):
        raise _refused("belongs to another list or other filters", cursor)
    return after


def _is_sort_key(text: str) -> bool:
    """What DynamoDB takes for one."""
    try:
        return 0 < len(text.encode()) <= MAX_SORT_KEY_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _refused(why: str, cursor: str) -> InvalidInput:
    return InvalidInput(f"Cursor {cursor[:80]!r} {why}", "Use the cursor of the page before, with the same filters.")
