"""What names and ids may look like. Checked wherever one comes in, because they become paths, keys and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from dagy.core.errors import InvalidInput

NAME_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}"
VERSION_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,99}"
RUN_ID_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,159}"
STAGE_PATTERN: Final = r"[a-z][a-z0-9\-]{0,15}"
NAMESPACE_PATTERN: Final = r"([A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*)?"

WRITTEN_PREFIXES: Final = ("runs", "state")
"""Where a stage keeps results, logs and state in its bucket: functions write there, and S3 expires what is old."""
PACKAGES_PREFIX: Final = "packages"
"""Where it keeps dependency packages: functions read there."""
RESERVED_PREFIXES: Final = (*WRITTEN_PREFIXES, PACKAGES_PREFIX)

_SHAPES: Final = {
    "flow name": (NAME_PATTERN, "ASCII letters, digits, '_', '-', '.', at most 100"),
    "task name": (NAME_PATTERN, "ASCII letters, digits, '_', '-', '.', at most 100"),
    "deployment name": (NAME_PATTERN, "ASCII letters, digits, '_', '-', '.', at most 100"),
    "flow version": (VERSION_PATTERN, "ASCII letters, digits, '_', '-', '.', '+', at most 100"),
    "run id": (RUN_ID_PATTERN, "ASCII letters, digits, '_', '-', '.', at most 160"),
    "package name": (NAME_PATTERN, "ASCII letters, digits, '_', '-', '.', at most 100"),
    "stage": (STAGE_PATTERN, "lower-case ASCII letters, digits and '-', at most 16, a letter first"),
    "namespace": (NAMESPACE_PATTERN, "names of ASCII letters, digits, '_', '-', '.', separated by '/'"),
}


def checked_name(kind: str, value: str) -> str:
    """`value` itself, when it is a valid `kind` (a key of the table above).

    Raises: InvalidInput with the value and the rule.
    """
    pattern, rule = _SHAPES[kind]
    if not re.fullmatch(pattern, value) or ".." in value:
        raise InvalidInput(f"Invalid {kind} {value!r}", f"A {kind} is made of {rule}.")
    return value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'small'?`, to be put behind a sentence; nothing when no known word is near, in whatever case."""
    import difflib  # a lazy door: for those who mistype

    words = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), words, n=1)
    return f" Did you mean '{words[close[0]]}'?" if close else ""


def is_reserved_key(key: str) -> bool:
    """Whether an object of that key, or with that prefix, would lie among the data of runs, or dependency packages."""
    return key.partition("/")[0] in RESERVED_PREFIXES


def is_written_key(key: str) -> bool:
    """Whether functions may write it."""
    return key.partition("/")[0] in WRITTEN_PREFIXES


def package_key(slug: str) -> str:
    return f"{PACKAGES_PREFIX}/{slug}.zip"


def run_id(flow_name: str, started_at: str, suffix: str) -> str:
    """`daily_etl-20260304T120000Z-a1b2c3`: the flow, the second in UTC (ISO 8601, ending in Z), and enough
    chance or hash to tell runs of one second apart.
    """
    second = re.sub(r"[-:]|\.\d+", "", started_at)
    return f"{flow_name}-{second}-{suffix}"
