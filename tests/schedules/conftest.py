"""Independent, deliberately slow evaluators, written from the documentation and sharing nothing with the product."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

import pytest

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_EVENTBRIDGE_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_UNIX_DAYS = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}

Matches = Callable[[str, datetime], bool]


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)


def _holds(field: str, value: int, low: int, high: int, names: dict[str, int] | None = None) -> bool:
    for part in field.split(","):
        base, _, step = part.partition("/")
        if base == "*":
            first, last = low, high
        elif "-" in base:
            first, last = (_number(end, names or {}) for end in base.split("-"))
        else:
            first = _number(base, names or {})
            last = high if step else first
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


def eventbridge_matches(expression: str, local: datetime) -> bool:
    """Does EventBridge's `cron(...)` fire at this local minute? From "Cron expressions" in the Scheduler user guide."""
    assert expression.startswith("cron(") and expression.endswith(")")
    minute, hour, day_of_month, month, day_of_week, year = expression[5:-1].split(" ")
    assert (day_of_month == "?") != (day_of_week == "?"), "exactly one question mark"
    last_day = calendar.monthrange(local.year, local.month)[1]
    week_day = local.isoweekday() % 7 + 1
    if day_of_week == "?":
        if day_of_month == "L":
            is_day = local.day == last_day
        elif day_of_month == "LW":
            working = [d for d in range(1, last_day + 1) if datetime(local.year, local.month, d).isoweekday() < 6]
            is_day = local.day == working[-1]
        else:
            is_day = _holds(day_of_month, local.day, 1, 31)
    elif "#" in day_of_week:
        day, nth = day_of_week.split("#")
        is_day = week_day == int(day) and (local.day - 1) // 7 + 1 == int(nth)
    elif day_of_week.endswith("L"):
        is_day = week_day == int(day_of_week[:-1]) and local.day + 7 > last_day
    else:
        is_day = _holds(day_of_week, week_day, 1, 7, _EVENTBRIDGE_DAYS)
    return (
        is_day
        and _holds(minute, local.minute, 0, 59)
        and _holds(hour, local.hour, 0, 23)
        and _holds(month, local.month, 1, 12, _MONTHS)
        and _holds(year, local.year, 1970, 2199)
    )


def unix_matches(expression: str, local: datetime) -> bool:
    """Does crontab(5) fire at this minute? Days of the week 0–7, Sunday is 0 and 7."""
    minute, hour, day_of_month, month, day_of_week = expression.upper().split()
    week_day = local.isoweekday() % 7
    is_week_day = any(_holds(day_of_week, day, 0, 7, _UNIX_DAYS) for day in ((0, 7) if week_day == 0 else (week_day,)))
    return (
        is_week_day
        and _holds(day_of_month, local.day, 1, 31)
        and _holds(minute, local.minute, 0, 59)
        and _holds(hour, local.hour, 0, 23)
        and _holds(month, local.month, 1, 12, _MONTHS)
    )


@pytest.fixture(scope="session")
def in_eventbridge() -> Matches:
    return eventbridge_matches


@pytest.fixture(scope="session")
def in_unix() -> Matches:
    return unix_matches


def walk(zone: tzinfo, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The rule of EventBridge Scheduler taken literally: go through the instants minute by minute, look at the clock
    on the wall, and note each minute it shows for the first time.

    Returns: pairs of instant and what the wall shows, above `start` and up to `end`.
    """
    shown: set[datetime] = set()
    first_seen, now = [], start - timedelta(hours=4)
    while now <= end:
        local = now.astimezone(zone).replace(tzinfo=None, fold=0)
        if local not in shown and now > start:
            first_seen.append((now, local))
        shown.add(local)
        now += timedelta(minutes=1)
    return first_seen


@pytest.fixture(scope="session")
def walked() -> Callable[..., list[tuple[datetime, datetime]]]:
    return walk
