"""`dagy schedules`: what runs by itself, and when a schedule would fire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import msgspec

from dagy.core.timestamps import to_iso
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from datetime import datetime

COLUMNS = ["name", "schedule", "timezone", "status", "next_fire_times"]
schedules = Group("schedules", help="Schedules: what runs by itself, and when.")


@schedules.command("list", cls=Command)
@click.option("--flow", metavar="NAME", help="Only those of this flow.")
@pass_session
def list_schedules(session: Session, flow: str | None) -> None:
    """List the deployments that have a schedule, and when they fire next.

    They are made and removed with the deployment: `dagy deploy --schedule`, `--no-schedule`. One that is paused does
    not fire.

    \b
    Examples:
      dagy schedules list
      dagy schedules list --flow daily_etl --json
    """
    found = (d for d in session.client.iter_deployments(flow_name=flow) if d.schedule is not None)
    rows = (msgspec.to_builtins(deployment) for deployment in found)
    if not session.settings.is_machine_read:
        rows = ({**row, "next_fire_times": next(iter(row["next_fire_times"]), None)} for row in rows)
    session.out.items(rows, COLUMNS)


@schedules.command("test", cls=Command)
@click.argument("expression", metavar="SCHEDULE")
@click.option("--timezone", "--tz", metavar="ZONE", help="Its IANA time zone.  [default: America/New_York]")
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many fire times.")
@pass_session
def test(session: Session, expression: str, timezone: str | None, count: int) -> None:
    """Say whether a schedule can be meant, and when it would fire next. Nothing is asked of a stage.

    It is read as `dagy deploy --schedule` reads it: five cron fields, rate(15 minutes) or at(...), by the clocks of its
    zone, daylight saving included.

    \b
    Examples:
      dagy schedules test "0 9 * * 1-5" --timezone Europe/Athens --count 3
      dagy schedules test "rate(15 minutes)" --json
    """
    from dagy.schedules import DEFAULT_TIMEZONE, parse_schedule  # a lazy door: zones are files

    zone = timezone or DEFAULT_TIMEZONE
    schedule = parse_schedule(expression, zone)
    times = schedule.next_times(time.time(), count)
    facts = {
        "schedule": schedule.expression,
        "timezone": zone,
        "valid": True,
        "next_fire_times": [to_iso(moment.timestamp()) for moment in times],
    }
    session.out.item(facts, text=_text(schedule.expression, zone, [each.astimezone(ZoneInfo(zone)) for each in times]))


def _text(expression: str, zone: str, times: list[datetime]) -> str:
    if not times:
        return f"Valid: {expression}\n\nIt fires no more ({zone})."
    shown = [f"  {number}. {moment:%Y-%m-%d %H:%M %Z}" for number, moment in enumerate(times, 1)]
    title = f"Next {len(times)} fire times ({zone}):" if len(times) > 1 else f"Next fire time ({zone}):"
    return "\n".join([f"Valid: {expression}", "", title, *shown])
