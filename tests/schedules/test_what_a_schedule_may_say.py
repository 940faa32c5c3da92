"""Which expressions are taken, what they become on EventBridge, and how the others are refused."""

from __future__ import annotations

import re

import pytest

from dagy.core.errors import InvalidSchedule
from dagy.schedules import AtSchedule, CronSchedule, RateSchedule, parse_schedule


@pytest.mark.parametrize(
    "expression, expected",
    [
        pytest.param("* * * * *", "cron(* * * * ? *)", id="every minute"),
        pytest.param("*/1 * * * *", "cron(* * * * ? *)", id="a step of one is every"),
        pytest.param("0 6 * * *", "cron(0 6 * * ? *)", id="every day"),
        pytest.param("  0   6 * *  * ", "cron(0 6 * * ? *)", id="spaces do not matter"),
        pytest.param("*/15 * * * *", "cron(0,15,30,45 * * * ? *)", id="a step becomes its list"),
        pytest.param("*/7 * * * *", "cron(0,7,14,21,28,35,42,49,56 * * * ? *)", id="a step that does not divide"),
        pytest.param("5/20 * * * *", "cron(5,25,45 * * * ? *)", id="a step from a start"),
        pytest.param("0 9-17/4 * * *", "cron(0 9,13,17 * * ? *)", id="a step within a range"),
        pytest.param("0 9 * * 1-5", "cron(0 9 ? * MON-FRI *)", id="Monday is 1 in unix"),
        pytest.param("0 9 * * mon-fri", "cron(0 9 ? * MON-FRI *)", id="names in lower case"),
        pytest.param("0 9 * * 0", "cron(0 9 ? * SUN *)", id="Sunday is 0"),
        pytest.param("0 9 * * 7", "cron(0 9 ? * SUN *)", id="Sunday is 7 too"),
        pytest.param("0 9 * * 5-7", "cron(0 9 ? * SUN,FRI,SAT *)", id="a range up to the Sunday at the end"),
        pytest.param("0 9 * * */2", "cron(0 9 ? * SUN,TUE,THU,SAT *)", id="every other day of the week"),
        pytest.param("0 9 * * 0-6", "cron(0 9 * * ? *)", id="the whole week is no restriction"),
        pytest.param("0 9 1,15 * *", "cron(0 9 1,15 * ? *)", id="days of the month"),
        pytest.param("0 9 */10 * *", "cron(0 9 1,11,21,31 * ? *)", id="a step of days starts at 1"),
        pytest.param("0 9 1 jan-mar,DEC *", "cron(0 9 1 1-3,12 ? *)", id="months by name"),
        pytest.param("0 0 29 2 *", "cron(0 0 29 2 ? *)", id="29 February happens"),
        pytest.param("0 0 L * *", "cron(0 0 L * ? *)", id="the last day of the month"),
        pytest.param("0 0 LW * *", "cron(0 0 LW * ? *)", id="the last working day of the month"),
        pytest.param("0 0 * * fri#2", "cron(0 0 ? * 6#2 *)", id="the second Friday"),
        pytest.param("0 0 * * 5L", "cron(0 0 ? * 6L *)", id="the last Friday"),
        pytest.param("@hourly", "cron(0 * * * ? *)", id="hourly"),
        pytest.param("@daily", "cron(0 0 * * ? *)", id="daily"),
        pytest.param("@midnight", "cron(0 0 * * ? *)", id="midnight"),
        pytest.param("@Weekly", "cron(0 0 ? * SUN *)", id="weekly"),
        pytest.param("@monthly", "cron(0 0 1 * ? *)", id="monthly"),
        pytest.param("@yearly", "cron(0 0 1 1 ? *)", id="yearly"),
        pytest.param("@annually", "cron(0 0 1 1 ? *)", id="annually"),
        pytest.param("cron(0 6 ? * 2-6 *)", "cron(0 6 ? * MON-FRI *)", id="EventBridge's own: Monday is 2"),
        pytest.param("cron(0/10 6 ? * SUN 2027-2029)", "cron(0,10,20,30,40,50 6 ? * SUN 2027-2029)", id="with years"),
        pytest.param("cron(0 6 ? * 6#3 *)", "cron(0 6 ? * 6#3 *)", id="EventBridge's third Friday"),
        pytest.param("CRON( 0 6 L * ? * )", "cron(0 6 L * ? *)", id="EventBridge's in capitals and with spaces"),
        pytest.param("rate(5 minutes)", "rate(5 minutes)", id="a rate"),
        pytest.param("rate(1 hours)", "rate(1 hour)", id="a rate of one is singular"),
        pytest.param("Rate(2 day)", "rate(2 days)", id="a rate of several is plural"),
        pytest.param("at(2027-03-14T09:30:00)", "at(2027-03-14T09:30:00)", id="once"),
    ],
)
def test_a_schedule_becomes_one_eventbridge_expression(expression: str, expected: str) -> None:
    assert parse_schedule(expression, "Europe/Athens").eventbridge_expression == expected


def test_each_form_is_a_class_of_its_own_and_keeps_what_was_written() -> None:
    assert isinstance(parse_schedule("0 6 * * *", "UTC"), CronSchedule)
    assert isinstance(parse_schedule("rate(1 day)", "UTC"), RateSchedule)
    once = parse_schedule("at(2027-01-01T00:00:00)", "Asia/Tokyo")
    assert isinstance(once, AtSchedule)
    assert (once.expression, once.timezone) == ("at(2027-01-01T00:00:00)", "Asia/Tokyo")


@pytest.mark.parametrize(
    "expression, message, hint",
    [
        pytest.param("60 * * * *", "minute '60'", "0–59", id="minute too high"),
        pytest.param("0 24 * * *", "hour '24'", "0–23", id="hour too high"),
        pytest.param("0 0 0 * *", "day-of-month '0'", "1–31", id="day zero"),
        pytest.param("0 0 32 * *", "day-of-month '32'", "1–31", id="day too high"),
        pytest.param("0 0 1 13 *", "month '13'", "1–12 or JAN–DEC", id="month too high"),
        pytest.param("0 0 * * 8", "day-of-week '8'", "0–7 or SUN–SAT", id="day of the week too high"),
        pytest.param("0 0 * * MONDAY", "day-of-week 'MONDAY'", "SUN–SAT", id="a full name"),
        pytest.param("0 0 1 FOO *", "month 'FOO'", "JAN–DEC", id="no such month"),
        pytest.param("-1 * * * *", "minute '-1'", "0–59", id="negative"),
        pytest.param("1.5 * * * *", "minute '1.5'", "0–59", id="a fraction"),
        pytest.param("٣ * * * *", "minute '٣'", "0–59", id="digits of another script"),
        pytest.param("*/0 * * * *", "step of 0", "0–59", id="a step of zero"),
        pytest.param("*/90 * * * *", "step of 90 is not in 1–59", "0–59", id="every 90 minutes is no cron"),
        pytest.param("*/ * * * *", "minute '*/'", "steps", id="a step without number"),
        pytest.param("1,,2 * * * *", "something is missing", "lists", id="a hole in a list"),
        pytest.param("0 22-2 * * *", "runs backwards", "ranges", id="a range over midnight"),
        pytest.param("0 0 * * FRI-MON", "runs backwards", "ranges", id="a range over the week's end"),
        pytest.param("*-5 * * * *", "makes no sense", "ranges", id="a range from a star"),
        pytest.param("0 0 ? * MON", "'?' belongs to EventBridge", "", id="a question mark in unix"),
        pytest.param("0 0 15W * *", "only 'L' and 'LW'", "", id="nearest working day"),
        pytest.param("0 0 L-3 * *", "only 'L' and 'LW'", "", id="days before the last"),
        pytest.param("0 0 * * L", "FRIL", "", id="a bare L as day of the week"),
        pytest.param("0 0 * * FRI#6", "not in 1–5", "", id="a sixth Friday"),
        pytest.param("0 0 * * FRI#1,MON#1", "alone", "", id="two numbered days"),
        pytest.param("0 * * *", "five fields, got 4", "minute hour", id="four fields"),
        pytest.param("", "five fields, got 0", "minute hour", id="empty"),
        pytest.param("0 0 0 * * *", "five fields, got 6", "Seconds", id="a seconds field"),
        pytest.param("@reboot", "Unknown schedule '@reboot'", "@daily", id="reboot"),
        pytest.param("every day", "five fields", "", id="words"),
        pytest.param("0 0 31 2 *", "can never fire", "", id="31 February"),
        pytest.param("0 0 31 4,6,9,11 *", "can never fire", "", id="the 31st of short months"),
        pytest.param("cron(0 0 29 2 ? 2027)", "can never fire", "", id="29 February of a common year"),
        pytest.param("0 0 1 * MON", "restricts both", "'0 0 1 * *', one with '0 0 * * MON'", id="both kinds of day"),
        pytest.param("0 0 */2 * 1", "restricts both", "two deployments", id="both kinds of day, one by a step"),
        pytest.param("cron(0 0 * * *)", "six fields, got 5", "leave out 'cron('", id="EventBridge's with five fields"),
        pytest.param("cron(0 0 * * * *)", "exactly one", "?", id="EventBridge's without question mark"),
        pytest.param("cron(0 0 ? * ? *)", "exactly one", "?", id="EventBridge's with two question marks"),
        pytest.param("cron(0 0 ? * 0 *)", "day-of-week '0'", "1–7", id="EventBridge's Sunday is not 0"),
        pytest.param("cron(0 0 1 * ? 1969)", "year '1969'", "1970–2199", id="a year too early"),
        pytest.param("rate(0 minutes)", "Bad rate", "from 1", id="a rate of zero"),
        pytest.param("rate(5 seconds)", "Bad rate", "minutes", id="a rate in seconds"),
        pytest.param("rate(1.5 hours)", "Bad rate", "minutes", id="a broken rate"),
        pytest.param("rate(9999999 days)", "more than a year", "", id="a rate beyond a year"),
        pytest.param("at(2027-13-01T00:00:00)", "Bad time", "yyyy-mm-dd", id="a month that is none"),
        pytest.param("at(2027-01-01)", "Bad time", "yyyy-mm-dd", id="a date alone"),
        pytest.param("at(2027-01-01T00:00:00Z)", "Bad time", "without an offset", id="an offset"),
        pytest.param("at(2027-01-01T00:00:30)", "Bad time", "whole minutes", id="half a minute"),
        pytest.param("hourly(1)", "Unknown schedule", "rate", id="an unknown form"),
        pytest.param("0 0 * * * " + "0" * 300, "more than 256", "", id="over-long"),
        pytest.param("9" * 200 + " * * * *", "minute", "0–59", id="a very long number"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_the_reason(expression: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidSchedule, match=re.escape(message)) as refused:
        parse_schedule(expression, "UTC")
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    "zone, suggestion",
    [
        pytest.param("europe/athens", "Europe/Athens", id="lower case"),
        pytest.param("Athens", "Europe/Athens", id="the city alone"),
        pytest.param("New York", "America/New_York", id="with a space"),
        pytest.param("America/NewYork", "America/New_York", id="a missing underscore"),
        pytest.param("Amerika/New_York", "America/New_York", id="misspelt"),
        pytest.param("../../etc/passwd", "IANA name", id="a path"),
        pytest.param("", "IANA name", id="empty"),
        pytest.param("Factory", "IANA name", id="the zone that is no place"),
        pytest.param("+02:00", "IANA name", id="an offset"),
    ],
)
def test_an_unknown_zone_is_refused_and_near_ones_are_named(zone: str, suggestion: str) -> None:
    with pytest.raises(InvalidSchedule, match="Unknown time zone") as refused:
        parse_schedule("0 6 * * *", zone)
    assert suggestion in (refused.value.hint or "")
