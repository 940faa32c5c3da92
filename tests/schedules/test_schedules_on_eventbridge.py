"""The EventBridge expression means what the unix one means: both are compared with evaluators written apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dagy.core.errors import InvalidSchedule
from dagy.schedules import parse_schedule

Matches = Callable[[str, datetime], bool]

MONTH_NAMES = ["JAN", "feb", "Mar", "APR", "may", "JUN", "jul", "AUG", "sep", "OCT", "nov", "DEC"]
DAY_NAMES = ["SUN", "mon", "Tue", "WED", "thu", "FRI", "sat"]


def field(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    """Any text that crontab(5) allows for a field."""
    number = st.integers(low, high)
    steps = st.integers(1, high - low)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    parts = [
        number.map(str),
        span,
        st.just("*"),
        st.builds("*/{}".format, steps),
        st.builds("{}/{}".format, span, steps),
    ]
    if names:
        parts.append(st.sampled_from(names))
    return st.one_of(st.just("*"), st.lists(st.one_of(parts), min_size=1, max_size=4).map(",".join))


minutes, hours = field(0, 59), field(0, 23)
expressions = st.one_of(
    st.builds("{} {} {} {} *".format, minutes, hours, field(1, 31), field(1, 12, MONTH_NAMES)),
    # The step of a day of the week must be one of 1–6, and a starred step starts at Sunday: low 0, high 6, and 7 apart.
    st.builds("{} {} * {} {}".format, minutes, hours, field(1, 12, MONTH_NAMES), field(0, 6, DAY_NAMES)),
    st.builds("{} {} * * {}-7".format, minutes, hours, st.integers(0, 6)),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2031, 12, 31)).map(lambda d: d.replace(second=0, microsecond=0))


@given(expressions, st.lists(moments, min_size=5, max_size=30))
@settings(max_examples=150, deadline=None)
def test_unix_and_eventbridge_agree_about_every_minute(
    in_unix: Matches, in_eventbridge: Matches, expression: str, moments: list[datetime]
) -> None:
    try:
        converted = parse_schedule(expression, "UTC").eventbridge_expression
    except InvalidSchedule as error:
        assume("can never fire" in str(error))
        assert not any(in_unix(expression, moment) for moment in moments)
        return
    # Chance alone rarely hits a match, so the neighbourhood of one is looked at too.
    near = [time.replace(tzinfo=None) for time in parse_schedule(expression, "UTC").next_times(1.75e9, 3)]
    for moment in [*moments, *near, *(time + timedelta(minutes=1) for time in near)]:
        assert in_unix(expression, moment) == in_eventbridge(converted, moment), (expression, converted, moment)


@given(expressions)
@settings(max_examples=100, deadline=None)
def test_a_conversion_has_one_question_mark_no_steps_and_fits(expression: str) -> None:
    try:
        converted = parse_schedule(expression, "UTC").eventbridge_expression
    except InvalidSchedule:
        assume(False)
    assert converted.count("?") == 1 and "/" not in converted and len(converted) <= 256


@given(expressions)
@settings(max_examples=100, deadline=None)
def test_reading_a_conversion_back_gives_the_same_expression(expression: str) -> None:
    try:
        converted = parse_schedule(expression, "UTC").eventbridge_expression
    except InvalidSchedule:
        assume(False)
    assert parse_schedule(converted, "UTC").eventbridge_expression == converted


@given(st.text(max_size=300) | st.text("0123456789*/,-?LW#@()MONJAcronrateat :T", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_either_taken_or_refused_by_name(text: str) -> None:
    try:
        schedule = parse_schedule(text, "UTC")
    except InvalidSchedule as error:
        assert str(error)
    else:
        assert len(schedule.eventbridge_expression) <= 256
