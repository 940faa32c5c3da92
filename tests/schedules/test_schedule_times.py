"""Which instants a schedule means, above all where the clocks change."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy.core.errors import InvalidSchedule
from dagy.schedules import parse_schedule

UTC = timezone.utc


def times(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next fires as local times with their offset, which is how people check them."""
    start = datetime.fromisoformat(after).timestamp()
    found = parse_schedule(expression, zone).next_times(start, count)
    assert all(time.tzinfo is UTC for time in found)
    return [time.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for time in found]


@pytest.mark.parametrize(
    "zone, expression, after, expected",
    [
        pytest.param(
            "America/New_York", "30 2 * * *", "2027-03-13T12:00-05:00",
            ["2027-03-15T02:30-04:00", "2027-03-16T02:30-04:00"], id="New York skips 02:30 in spring",
        ),
        pytest.param(
            "America/New_York", "0 * * * *", "2027-03-14T00:30-05:00",
            ["2027-03-14T01:00-05:00", "2027-03-14T03:00-04:00"], id="New York has no 02:00 that day",
        ),
        pytest.param(
            "America/New_York", "30 1 * * *", "2027-11-06T12:00-04:00",
            ["2027-11-07T01:30-04:00", "2027-11-08T01:30-05:00"], id="New York fires the repeated 01:30 once",
        ),
        pytest.param(
            "America/New_York", "30 1 * * *", "2027-11-07T01:29-05:00",
            ["2027-11-08T01:30-05:00"], id="in the second pass the repeated 01:30 is over",
        ),
        pytest.param(
            "Europe/Athens", "30 3 * * *", "2027-03-27T12:00+02:00",
            ["2027-03-29T03:30+03:00"], id="Athens skips 03:30 in spring",
        ),
        pytest.param(
            "Europe/Athens", "15 3 * * *", "2027-10-30T12:00+03:00",
            ["2027-10-31T03:15+03:00", "2027-11-01T03:15+02:00"], id="Athens fires the repeated 03:15 once",
        ),
        pytest.param(
            "Australia/Lord_Howe", "15 2 * * *", "2027-10-02T12:00+10:30",
            ["2027-10-04T02:15+11:00"], id="Lord Howe skips half an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe", "*/15 1 * * *", "2027-04-04T01:20+11:00",
            ["2027-04-04T01:30+11:00", "2027-04-04T01:45+11:00", "2027-04-05T01:00+10:30"],
            id="Lord Howe repeats half an hour",
        ),
        pytest.param(
            "Pacific/Apia", "0 12 * * *", "2011-12-29T00:00-10:00",
            ["2011-12-29T12:00-10:00", "2011-12-31T12:00+14:00"], id="Apia skipped a whole day",
        ),
        pytest.param(
            "Africa/Casablanca", "30 2 * * *", "2027-02-05T12:00+01:00",
            ["2027-02-06T02:30+01:00", "2027-02-07T02:30+01:00", "2027-02-08T02:30+00:00"],
            id="Casablanca sets the clocks back for Ramadan",
        ),
        pytest.param(
            "Europe/London", "30 1 * * *", "2027-03-27T12:00+00:00",
            ["2027-03-29T01:30+01:00"], id="London skips 01:30 in spring",
        ),
        pytest.param(
            "America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00-03:00",
            ["2018-11-05T00:00-02:00"], id="São Paulo skipped midnight itself",
        ),
        pytest.param(
            "Pacific/Auckland", "45 2 * * *", "2027-04-03T12:00+13:00",
            ["2027-04-04T02:45+13:00", "2027-04-05T02:45+12:00"], id="Auckland repeats 02:45 in April",
        ),
        pytest.param(
            "Asia/Kathmandu", "0 6 * * *", "2027-06-01T00:00+05:45",
            ["2027-06-01T06:00+05:45"], id="Kathmandu is off by 45 minutes, always",
        ),
        pytest.param("UTC", "0 0 29 2 *", "2025-01-01T00:00+00:00", ["2028-02-29T00:00+00:00"], id="leap day"),
        pytest.param(
            "UTC", "0 0 * * FRI#2", "2027-01-01T00:00+00:00",
            ["2027-01-08T00:00+00:00", "2027-02-12T00:00+00:00"], id="second Fridays",
        ),
        pytest.param(
            "UTC", "0 0 LW * *", "2027-01-01T00:00+00:00",
            ["2027-01-29T00:00+00:00", "2027-02-26T00:00+00:00"], id="last working days",
        ),
        pytest.param(
            "UTC", "cron(0 0 1 1 ? 2028,2031)", "2027-01-01T00:00+00:00",
            ["2028-01-01T00:00+00:00", "2031-01-01T00:00+00:00"], id="only in some years, then never again",
        ),
        pytest.param(
            "Asia/Tokyo", "at(2027-05-05T09:00:00)", "2027-01-01T00:00+00:00",
            ["2027-05-05T09:00+09:00"], id="once, read in the zone",
        ),
        pytest.param("Asia/Tokyo", "at(2027-05-05T09:00:00)", "2027-05-05T09:00+09:00", [], id="once, and it is over"),
        pytest.param(
            "America/New_York", "at(2027-11-07T01:30:00)", "2027-01-01T00:00+00:00",
            ["2027-11-07T01:30-04:00"], id="once, at the first of two",
        ),
        pytest.param(
            "America/New_York", "rate(12 hours)", "2027-03-13T23:59+00:00",
            ["2027-03-13T19:00-05:00", "2027-03-14T08:00-04:00", "2027-03-14T20:00-04:00"],
            id="a rate is real time: the clocks do not matter",
        ),
    ],
)  # fmt: skip
def test_next_times(zone: str, expression: str, after: str, expected: list[str]) -> None:
    count = len(expected) if expected else 3
    assert times(expression, zone, after, count) == expected


def test_a_time_that_the_clocks_skip_is_refused_for_a_single_fire() -> None:
    with pytest.raises(InvalidSchedule, match="the clocks of America/New_York skip that time"):
        parse_schedule("at(2027-03-14T02:30:00)", "America/New_York")


# Instants around which the clocks of these zones do something remarkable.
EDGES = [
    ("America/New_York", "2027-03-14T07:00+00:00"),
    ("America/New_York", "2027-11-07T06:00+00:00"),
    ("Europe/Athens", "2027-03-28T01:00+00:00"),
    ("Europe/Athens", "2027-10-31T01:00+00:00"),
    ("Australia/Lord_Howe", "2027-04-03T15:00+00:00"),
    ("Australia/Lord_Howe", "2027-10-02T15:30+00:00"),
    ("Pacific/Apia", "2011-12-30T10:00+00:00"),
    ("Africa/Casablanca", "2027-02-07T02:00+00:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00+00:00"),
    ("Pacific/Auckland", "2027-04-03T14:00+00:00"),
    ("America/St_Johns", "2027-11-07T04:30+00:00"),
    ("Asia/Tehran", "2022-03-21T20:30+00:00"),
    ("Antarctica/Troll", "2027-03-28T01:00+00:00"),
    ("Europe/Dublin", "2027-10-31T01:00+00:00"),
]
EXPRESSIONS = ["* * * * *", "*/15 * * * *", "30 * * * *", "30 2 * * *", "0 0 * * *", "15 1-3 * * *", "0 */2 * * SUN"]


@pytest.mark.parametrize("zone, edge", [pytest.param(zone, edge, id=f"{zone} {edge[:10]}") for zone, edge in EDGES])
def test_around_a_change_of_the_clocks_the_fires_are_those_of_a_walk_minute_by_minute(
    walked: Callable[..., list[tuple[datetime, datetime]]],
    in_eventbridge: Callable[[str, datetime], bool],
    zone: str,
    edge: str,
) -> None:
    middle = datetime.fromisoformat(edge).astimezone(UTC)
    start, end = middle - timedelta(hours=3), middle + timedelta(hours=25)
    seen = walked(ZoneInfo(zone), start, end)
    for expression in EXPRESSIONS:
        schedule = parse_schedule(expression, zone)
        fires = [instant for instant, local in seen if in_eventbridge(schedule.eventbridge_expression, local)]
        found = [time for time in schedule.next_times(start.timestamp(), len(fires) + 1) if time <= end]
        assert found == fires, expression
        for moment in (start + timedelta(minutes=41 * n, seconds=n) for n in range(1, 13)):
            passed = [fire for fire in fires if fire <= moment]
            if passed:
                assert schedule.latest_time(moment.timestamp()) == passed[-1], (expression, moment)


zones = st.sampled_from([zone for zone, _ in EDGES] + ["UTC", "Asia/Kolkata"])
schedules = st.builds(
    parse_schedule,
    st.sampled_from([*EXPRESSIONS, "5 4 1 * *", "0 9 * * MON-FRI", "0 0 L * *", "rate(7 minutes)", "rate(1 day)"]),
    zones,
)
instants = st.integers(int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1).timestamp()))


@given(schedules, instants)
@settings(max_examples=150, deadline=None)
def test_next_times_ascend_and_each_is_its_own_latest_time(schedule, after: int) -> None:  # type: ignore[no-untyped-def]
    found = schedule.next_times(after, 4)
    assert len(found) == 4 and found[0].timestamp() > after
    assert all(a < b for a, b in itertools.pairwise(found))
    for time in found:
        assert schedule.latest_time(time.timestamp()) == time
    assert schedule.latest_time(found[1].timestamp() - 1) == found[0]


@given(schedules, instants, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_nothing_fires_between_the_latest_time_and_the_next(schedule, now: int, count: int) -> None:  # type: ignore[no-untyped-def]
    latest = schedule.latest_time(now)
    assert latest is not None and latest.timestamp() <= now
    assert schedule.next_times(latest.timestamp(), count) == schedule.next_times(now, count)


def test_importing_schedules_loads_nothing_heavy() -> None:
    heavy = "{'boto3', 'duckdb', 'yaml', 'msgspec', 'tabulate', 'click', 'tempfile', 'asyncio'}"
    code = f"import sys, dagy.schedules; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
