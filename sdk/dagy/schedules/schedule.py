"""A schedule: an expression, a time zone, and the instants they mean.

EventBridge Scheduler's rule for changes of the clocks is kept by walking *local* times and asking of each which
instant it is: one that the clocks skip is none, one that they repeat is the first of the two. (Libraries that walk
instants have rules of their own: cronsim moves a skipped 02:30 to 03:00, croniter fires a repeated 01:30 twice.)
Source: AWS, "Schedule types in EventBridge Scheduler", on daylight saving time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final, Union
from zoneinfo import ZoneInfo

from dagy.core.errors import InvalidSchedule
from dagy.schedules.cron import CronRule, parse_eventbridge, parse_unix
from dagy.schedules.zones import checked_timezone

MAX_LENGTH: Final = 256  # EventBridge Scheduler's limit for an expression
MAX_RATE_MINUTES: Final = 366 * 24 * 60

_UNIT_MINUTES: Final = {"minute": 1, "hour": 60, "day": 24 * 60}


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron rule read in a time zone."""

    expression: str
    timezone: str
    rule: CronRule

    @property
    def eventbridge_expression(self) -> str:
        return self.rule.eventbridge_expression

    def next_times(self, after: float, count: int) -> list[datetime]:
        """Up to `count` instants above `after` (seconds since the epoch), ascending, in UTC; fewer when it ends."""
        zone, above = ZoneInfo(self.timezone), _utc(after)
        found: list[datetime] = []
        for local in self.rule.after(_whole_minute(above.astimezone(zone))):
            instant = _instant(local, zone)
            if len(found) == count:
                break
            if instant is not None and instant > above:
                found.append(instant)
        return found

    def latest_time(self, at_or_before: float) -> datetime | None:
        """The last instant that is not above `at_or_before`, in UTC; None before the first."""
        zone, limit = ZoneInfo(self.timezone), _utc(at_or_before)
        here = limit.astimezone(zone)
        # In the second pass through a repeated hour, the first pass reached later local times than now.
        ahead = (here.replace(fold=0).utcoffset() or timedelta()) - (here.utcoffset() or timedelta())
        for local in self.rule.before(_whole_minute(here) + ahead + timedelta(minutes=1)):
            instant = _instant(local, zone)
            if instant is not None and instant <= limit:
                return instant
        return None


@dataclass(frozen=True, slots=True)
class RateSchedule:
    """Every so many minutes of real time, whatever the zone.

    The times are the multiples of the interval since 1970 in UTC, so that everybody computes the same ones. Whoever
    creates the EventBridge schedule gives the first of `next_times(now, 1)` as its start date; without one,
    EventBridge would count from the moment of creation.
    """

    expression: str
    timezone: str
    minutes: int
    eventbridge_expression: str

    def next_times(self, after: float, count: int) -> list[datetime]:
        """`count` instants above `after` (seconds since the epoch), ascending, in UTC."""
        step_s = self.minutes * 60
        first = (int(after // step_s) + 1) * step_s
        return [_utc(first + n * step_s) for n in range(count)]

    def latest_time(self, at_or_before: float) -> datetime | None:
        """The last instant that is not above `at_or_before`, in UTC."""
        step_s = self.minutes * 60
        return _utc(at_or_before // step_s * step_s)


@dataclass(frozen=True, slots=True)
class AtSchedule:
    """Once."""

    expression: str
    timezone: str
    instant: datetime
    eventbridge_expression: str

    def next_times(self, after: float, count: int) -> list[datetime]:
        """The instant, when it is above `after` (seconds since the epoch), in UTC."""
        return [self.instant][:count] if self.instant > _utc(after) else []

    def latest_time(self, at_or_before: float) -> datetime | None:
        """The instant, when it is not above `at_or_before`, in UTC."""
        return self.instant if self.instant <= _utc(at_or_before) else None


Schedule = Union[CronSchedule, RateSchedule, AtSchedule]


def parse_schedule(expression: str, timezone: str) -> Schedule:
    """Read five unix cron fields, `@daily` and its like, `rate(n minutes)`, `at(yyyy-mm-ddThh:mm:ss)`, or EventBridge's
    own six-field `cron(...)`.

    Raises: InvalidSchedule when the zone is unknown or EventBridge could not fire exactly what was written.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidSchedule(
            f"The schedule is {len(expression)} characters long, more than {MAX_LENGTH}", "Use ranges and steps."
        )
    text = " ".join(expression.split())
    zone = checked_timezone(timezone)
    wrapped = re.fullmatch(r"(?P<kind>[A-Za-z]+) ?\((?P<inside>[^()]*)\)", text)
    if not wrapped:
        return CronSchedule(text, timezone, parse_unix(text))
    inside = wrapped["inside"].strip()
    match wrapped["kind"].lower():
        case "cron":
            return CronSchedule(text, timezone, parse_eventbridge(inside))
        case "rate":
            return _rate(text, timezone, inside)
        case "at":
            return _at(text, timezone, inside, zone)
    raise InvalidSchedule(f"Unknown schedule {text!r}", "Write five cron fields, rate(...), at(...) or cron(...).")


def _rate(text: str, timezone: str, inside: str) -> RateSchedule:
    shape = re.fullmatch(r"0*([1-9][0-9]{0,6}) ?(minute|hour|day)s?", inside.lower(), re.ASCII)
    if not shape:
        raise InvalidSchedule(
            f"Bad rate {text!r}", "Write rate(n minutes), rate(n hours) or rate(n days), with n from 1."
        )
    count, unit = int(shape[1]), shape[2]
    minutes = count * _UNIT_MINUTES[unit]
    if minutes > MAX_RATE_MINUTES:
        raise InvalidSchedule(f"{text!r} is more than a year", "Use a cron expression with a month and a day.")
    return RateSchedule(text, timezone, minutes, f"rate({count} {unit}{'s' if count > 1 else ''})")


def _at(text: str, timezone: str, inside: str, zone: ZoneInfo) -> AtSchedule:
    try:
        local = datetime.strptime(inside.upper(), "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        hint = "Write at(yyyy-mm-ddThh:mm:ss), a local time of the schedule's zone, without an offset."
        raise InvalidSchedule(f"Bad time {text!r}", hint) from error
    if local.second or not 1970 <= local.year <= 2199:
        raise InvalidSchedule(f"Bad time {text!r}", "Schedules fire on whole minutes, in the years 1970–2199.")
    instant = _instant(local, zone)
    if instant is None:
        raise InvalidSchedule(
            f"{text!r} can never fire: the clocks of {timezone} skip that time", "Choose one before or after the gap."
        )
    return AtSchedule(text, timezone, instant, f"at({local.isoformat()})")


def _instant(local: datetime, zone: tzinfo) -> datetime | None:
    """The UTC instant of a naive local time: the first of two, None when the clocks skip it."""
    instant = local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == local else None


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.utc)


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0, tzinfo=None, fold=0)
