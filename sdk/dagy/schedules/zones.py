"""IANA time zones by name: which exist, and what an unknown one was probably meant to be."""

from __future__ import annotations

import difflib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from dagy.core.errors import InvalidSchedule

DEFAULT_TIMEZONE: Final = "America/New_York"

_NOT_PLACES: Final = frozenset({"Factory", "localtime"})


def checked_timezone(name: str) -> ZoneInfo:
    """The zone of exactly this name; case matters, also where the file system does not care.

    Raises: InvalidSchedule with the names nearest to it.
    """
    if name not in _names():
        near = _near(name)
        hint = f"Did you mean {', '.join(near)}?" if near else "Give an IANA name such as Europe/Athens or UTC."
        raise InvalidSchedule(f"Unknown time zone {name[:100]!r}", hint)
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """From the list inside tzdata: `zoneinfo.available_timezones()` opens some 600 files for the same answer."""
    package = find_spec("tzdata")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'tzdata'", name="tzdata")
    return frozenset((Path(package.origin).parent / "zones").read_text(encoding="ascii").split()) - _NOT_PLACES


def _near(name: str) -> list[str]:
    """Up to three zones whose name, or whose city alone, looks like `name`."""
    wanted = name[:100].strip().replace(" ", "_").lower()
    whole = {zone.lower(): zone for zone in sorted(_names())}
    cities = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(_names(), reverse=True)}
    found = [cities[wanted]] if wanted in cities else []
    found += [whole[near] for near in difflib.get_close_matches(wanted, whole, n=3, cutoff=0.75)]
    city = wanted.rsplit("/", 1)[-1]
    found += [cities[near] for near in difflib.get_close_matches(city, cities, n=3, cutoff=0.8)]
    return list(dict.fromkeys(found))[:3]
