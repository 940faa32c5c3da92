"""`dagy runs inspect` and `watch`: everything about one run at once, and one run until it ends."""

from __future__ import annotations

from collections import deque
from typing import Final

import click

from dagy.core.errors import RunFailed
from dagy_cli.locating import Located, locate, run_options
from dagy_cli.remote_run import Waiting, stay
from dagy_cli.run_sources import Row
from dagy_cli.run_text import error_text, run_text, shortened
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

LAST_LINES: Final = 20
ORDINARY: Final = ("_started", "_succeeded", "_ready", "_released")


@click.command("inspect", cls=Command)
@run_options
@pass_session
def inspect(session: Session, run_id: str | None, last: bool, place: str | None) -> None:
    """Show everything that tells why a run went as it did.

    That is what `dagy runs show` says, the traceback and the last lines of each task that failed, and what happened
    beside starts and ends. Runs of this machine keep no events.

    \b
    Examples:
      dagy runs inspect --last
      dagy runs inspect daily_etl-20260304 --json
    """
    located = locate(session, run_id, last=last, place=place)
    run = located.runs.show(located.run_id)
    failures = [{**task, "last_lines": _last_lines(located, task)} for task in run["tasks"] if task["error"]]
    events = [event for event in located.runs.events(located.run_id) if not event["type"].endswith(ORDINARY)]
    text = [run_text(run, session.out.table)]
    text += ["Failures:", *map(_failure_text, failures)] if failures else []
    text += ["Events:", *map(_event_text, events)] if events else []
    session.out.item({**run, "failures": failures, "events": events}, text="\n".join(text))


@click.command("watch", cls=Command)
@run_options
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer (remote).")
@pass_session
def watch(session: Session, run_id: str | None, last: bool, place: str | None, timeout_s: float | None) -> None:
    """Stay with a run until it ends, and show what it does.

    The exit code is 8 when it does not succeed, as with `dagy run --watch`. Ctrl+C leaves the run alone. Of a run of
    this machine, which another process carries out, it shows the log.

    \b
    Examples:
      dagy runs watch --remote --last
      dagy runs watch daily_etl-20260304T120000Z-a1b2c3 --timeout 600 --json
    """
    located = locate(session, run_id, last=last, place=place)
    if located.runs.is_remote:
        stay(session, session.client.get_run(located.run_id), Waiting(is_watched=True, timeout_s=timeout_s))
        return
    if timeout_s is not None:
        raise click.UsageError("--timeout is for runs of a stage; this one is a run of this machine.")
    for line in located.runs.log(located.run_id, None, is_followed=True):
        session.out.remark(f"  {line['text']}")
    run = located.runs.show(located.run_id)
    session.out.item(run, text=f"Run completed: {run['run_id']} status={run['status']}")
    if run["status"] != "SUCCEEDED":
        raise RunFailed(run["run_id"], run["status"], run["error"]["message"] if run["error"] else None)


def _last_lines(located: Located, task: Row) -> list[str]:
    """Without those of the traceback, which is shown already."""
    told = tuple(filter(None, (task["error"].get("traceback") or "").splitlines()))
    lines = (line["line"] for line in located.runs.log(located.run_id, task["task_run_id"], is_followed=False))
    return list(deque((line for line in lines if not told or not line.endswith(told)), maxlen=LAST_LINES))


def _failure_text(task: Row) -> str:
    error = task["error"]
    lines = [f"  {task['task_run_id']} attempt={task['attempt']} {error_text(error['error_type'], error['message'])}"]
    lines += [f"    {line}" for line in (error.get("traceback") or "").splitlines()]
    if task["last_lines"]:
        lines += ["    Its last lines:", *(f"      {line}" for line in task["last_lines"])]
    return "\n".join(lines)


def _event_text(event: Row) -> str:
    about = " ".join(filter(None, (event["task_run_id"], event["attempt"] and f"attempt={event['attempt']}")))
    data = str(shortened(event["data"])) if event["data"] else ""
    return f"  {event['at'][11:19]} {event['type']} {about} {data}".rstrip()
