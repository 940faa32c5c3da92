"""A cron rule as a value: read from the five fields of unix or the six of EventBridge, walked forwards and
backwards, written for EventBridge.

Fields are kept as the sets of numbers they stand for, never as text: what a step or a name means is decided once,
and the instants on a laptop and the expression on AWS are both derived from the same sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from dagy.core.errors import InvalidSchedule
from dagy.schedules.days import Days, EveryDay, as_cronsim, as_eventbridge, parse_month_days, parse_week_days
from dagy.schedules.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    EVENTBRIDGE_DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    YEAR,
    compact,
    parse_field,
    wrong,
)

_ONE_MINUTE: Final = timedelta(minutes=1)

_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class CronRule:
    """Which naive local times match. `years` None means every year."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: Days
    months: frozenset[int]
    years: frozenset[int] | None = None

    @property
    def eventbridge_expression(self) -> str:
        day_of_month, day_of_week = as_eventbridge(self.days)
        minutes = compact(self.minutes, every=MINUTE.everything)
        hours = compact(self.hours, every=HOUR.everything)
        months = compact(self.months, every=MONTH.everything)
        years = compact(self.years) if self.years else "*"
        return f"cron({minutes} {hours} {day_of_month} {months} {day_of_week} {years})"

    def after(self, local: datetime) -> Iterator[datetime]:
        """Matching times above `local`, a whole minute, ascending. Ends after 50 years without one."""
        times = CronSim(self._cronsim_text, local)
        while (found := next(times, None)) is not None:
            if self.years is None or found.year in self.years:
                yield found
            elif later := [year for year in self.years if year > found.year]:
                times = CronSim(self._cronsim_text, datetime(min(later), 1, 1) - _ONE_MINUTE)
            else:
                return

    def before(self, local: datetime) -> Iterator[datetime]:
        """Matching times below `local`, a whole minute, descending. Ends after 50 years without one."""
        times = CronSim(self._cronsim_text, local, reverse=True)
        while (found := next(times, None)) is not None:
            if self.years is None or found.year in self.years:
                yield found
            elif earlier := [year for year in self.years if year < found.year]:
                times = CronSim(self._cronsim_text, datetime(max(earlier) + 1, 1, 1), reverse=True)
            else:
                return

    @property
    def _cronsim_text(self) -> str:
        day_of_month, day_of_week = as_cronsim(self.days)
        minutes, hours, months = (",".join(map(str, sorted(s))) for s in (self.minutes, self.hours, self.months))
        return f"{minutes} {hours} {day_of_month} {months} {day_of_week}"


def parse_unix(text: str) -> CronRule:
    """Read `minute hour day-of-month month day-of-week`, or an alias such as `@daily`. Beyond unix, `L` and `LW`
    may stand for the day of the month, `FRI#2` or `FRIL` for the day of the week: EventBridge honours them.

    Raises: InvalidSchedule naming the field and what is allowed.
    """
    words = _ALIASES.get(text.lower(), text).upper().split()
    if words and words[0].startswith("@"):
        raise InvalidSchedule(f"Unknown schedule {text!r}", f"Known are {', '.join(_ALIASES)}, or five cron fields.")
    if len(words) != 5:
        raise _wrong_count(text, len(words))
    for field, word in zip((MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK), words, strict=True):
        if "?" in word:
            raise wrong(field, word, "'?' belongs to EventBridge's own cron(...); write * here")
    minutes, hours, day_of_month, months, day_of_week = words
    if day_of_month not in _EVERY and day_of_week not in _EVERY:
        # Unix means "either of them". Vixie cron means "both" when one begins with a star. EventBridge has neither.
        raise InvalidSchedule(
            f"Schedule {text!r} restricts both day-of-month and day-of-week",
            "Cron fires when either matches, which takes two schedules on EventBridge: make two deployments, one with "
            f"'{minutes} {hours} {day_of_month} {months} *', one with '{minutes} {hours} * {months} {day_of_week}'.",
        )
    days = parse_month_days(day_of_month) if day_of_week in _EVERY else parse_week_days(DAY_OF_WEEK, day_of_week)
    return _possible(
        CronRule(
            minutes=parse_field(MINUTE, minutes),
            hours=parse_field(HOUR, hours),
            days=days,
            months=parse_field(MONTH, months),
        ),
        text,
    )


def parse_eventbridge(inside: str) -> CronRule:
    """Read what stands between the brackets of EventBridge's `cron(...)`: six fields, Sunday is 1.

    Raises: InvalidSchedule, also for what EventBridge would take and we cannot evaluate (`15W`, `L-3`).
    """
    words = inside.upper().split()
    if len(words) != 6:
        raise InvalidSchedule(
            f"EventBridge's cron(...) has six fields, got {len(words)}: {inside!r}",
            "minute hour day-of-month month day-of-week year; for the five fields of unix leave out 'cron(' and ')'.",
        )
    minutes, hours, day_of_month, months, day_of_week, years = words
    if [day_of_month, day_of_week].count("?") != 1:
        raise InvalidSchedule(
            f"In EventBridge's cron({inside}) exactly one of day-of-month and day-of-week must be '?'",
            "Write ? for the one that does not matter.",
        )
    days: Days = EveryDay()
    if day_of_month == "?":
        days = parse_week_days(EVENTBRIDGE_DAY_OF_WEEK, day_of_week)
    else:
        days = parse_month_days(day_of_month)
    return _possible(
        CronRule(
            minutes=parse_field(MINUTE, minutes),
            hours=parse_field(HOUR, hours),
            days=days,
            months=parse_field(MONTH, months),
            years=None if years == "*" else parse_field(YEAR, years),
        ),
        inside,
    )


_EVERY: Final = ("*", "*/1")


def _wrong_count(text: str, count: int) -> InvalidSchedule:
    if count == 6:
        hint = "Seconds and years are not supported here. EventBridge's own six fields go into cron(...)."
    else:
        hint = (
            "minute hour day-of-month month day-of-week, such as '0 6 * * MON-FRI'; or @daily, rate(1 hour), at(...)."
        )
    return InvalidSchedule(f"A cron expression has five fields, got {count}: {text!r}", hint)


def _possible(rule: CronRule, text: str) -> CronRule:
    """Raises: InvalidSchedule when no date will ever match, such as 31 February."""
    start = datetime(min(rule.years) if rule.years else 2000, 1, 1) - _ONE_MINUTE
    try:
        can_fire = next(rule.after(start), None) is not None
    except CronSimError:  # cronsim's own check of days against months
        can_fire = False
    if not can_fire:
        raise InvalidSchedule(f"Schedule {text!r} can never fire: there is no such date", "Check its days and months.")
    return rule
