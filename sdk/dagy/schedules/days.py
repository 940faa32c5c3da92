"""Which days a cron rule means: one of five kinds, because no scheduler can restrict both the day of the month and
the day of the week and mean the same thing everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

from dagy.schedules.fields import DAY_NAMES, DAY_OF_MONTH, Field, compact, parse_field, parse_value, wrong


@dataclass(frozen=True, slots=True)
class EveryDay:
    """No restriction."""


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Days of the month, by number."""

    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class LastDay:
    """The last day of the month, or the last of it that is no Saturday or Sunday."""

    is_working_day: bool


@dataclass(frozen=True, slots=True)
class WeekDays:
    """Days of the week; 0 is Sunday, 6 Saturday."""

    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class NthWeekDay:
    """One day of the week (0 is Sunday) in each month: the first to fifth of its kind, or (`nth` None) the last."""

    number: int
    nth: int | None


Days = Union[EveryDay, MonthDays, LastDay, WeekDays, NthWeekDay]


def parse_month_days(text: str) -> Days:
    if text in ("L", "LW"):
        return LastDay(is_working_day=text == "LW")
    if re.search("[LW]", text):
        raise wrong(DAY_OF_MONTH, text, "of L and W only 'L' and 'LW', each alone, can be evaluated here")
    numbers = parse_field(DAY_OF_MONTH, text)
    return EveryDay() if numbers == DAY_OF_MONTH.everything else MonthDays(numbers)


def parse_week_days(field: Field, text: str) -> Days:
    """`field` says which number Sunday has. Besides the usual, one of `FRI#2`, `FRIL` (the last Friday)."""
    numbered = re.fullmatch(r"([A-Z]{3}|[0-9])(#(?P<nth>[0-9]+)|L)", text, re.ASCII)
    if not numbered:
        if "#" in text or text == "L":
            raise wrong(field, text, "write one day as FRI#2 (the second) or FRIL (the last), alone")
        numbers = frozenset((number - field.first_named) % 7 for number in parse_field(field, text))
        return EveryDay() if len(numbers) == 7 else WeekDays(numbers)
    day = (parse_value(field, numbered[1], text) - field.first_named) % 7
    if numbered["nth"] is None:
        return NthWeekDay(day, None)
    if numbered["nth"] not in ("1", "2", "3", "4", "5"):
        raise wrong(field, text, "the number after # is not in 1–5")
    return NthWeekDay(day, int(numbered["nth"]))


def as_cronsim(days: Days) -> tuple[str, str]:
    """Day-of-month and day-of-week for cronsim: Sunday is 0, unrestricted is `*`."""
    match days:
        case EveryDay():
            return "*", "*"
        case MonthDays(numbers):
            return ",".join(map(str, sorted(numbers))), "*"
        case LastDay(is_working_day):
            return "LW" if is_working_day else "L", "*"
        case WeekDays(numbers):
            return "*", ",".join(map(str, sorted(numbers)))
        case NthWeekDay(number, nth):
            return "*", f"{number}L" if nth is None else f"{number}#{nth}"


def as_eventbridge(days: Days) -> tuple[str, str]:
    """Day-of-month and day-of-week for EventBridge: exactly one of them is `?`. Weekdays go by name, except where
    only numbers are documented; there Sunday is 1.
    """
    match days:
        case EveryDay():
            return "*", "?"
        case MonthDays(numbers):
            return compact(numbers), "?"
        case LastDay(is_working_day):
            return "LW" if is_working_day else "L", "?"
        case WeekDays(numbers):
            return "?", compact(numbers, names=DAY_NAMES)
        case NthWeekDay(number, nth):
            return "?", f"{number + 1}L" if nth is None else f"{number + 1}#{nth}"
