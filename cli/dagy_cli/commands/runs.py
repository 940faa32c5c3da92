"""`dagy runs`: what ran, what came of it, and stopping what runs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click
import msgspec

from dagy.core.errors import InvalidInput
from dagy.core.states import Status
from dagy_cli.commands.cancelling import cancel, cancel_all
from dagy_cli.commands.inspecting import inspect, watch
from dagy_cli.commands.starting import bulk, retry
from dagy_cli.completing import deployments, words
from dagy_cli.lazy import Group
from dagy_cli.local_runs import local_runs
from dagy_cli.locating import Located, locate, locate_remote, remote_run_options, run_options, where_options
from dagy_cli.moments import period_options
from dagy_cli.run_sources import RemoteRuns, Result, Runs, Wanted, row
from dagy_cli.run_text import run_text, shortened
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["run_id", "status", "started_at", "flow"]
MACHINE_COLUMNS = ["run_id", "status", "flow_name", "flow_version", "started_at", "ended_at", "duration_s"]
REMOTE_ONLY = ["deployment", "trigger"]
runs = Group("runs", help="Runs, here or in a stage.", aliases={"status": "show", "output": "result"})
for verb in (bulk, cancel, cancel_all, inspect, retry, watch):
    runs.add_command(verb)


@runs.command("list", cls=Command)
@where_options
@click.option("--limit", type=click.IntRange(1, 10000), default=20, show_default=True, help="At most so many.")
@click.option("--status", "statuses", type=click.Choice([s.value for s in Status], case_sensitive=False), multiple=True,
              help="Only runs that are so. Repeatable.", shell_complete=words(*[s.value for s in Status]))  # fmt: skip
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option("--deployment", metavar="NAME", help="Only runs of this deployment (remote).", shell_complete=deployments)
@period_options
@pass_session
def list_runs(
    session: Session,
    place: str | None,
    limit: int,
    statuses: tuple[str, ...],
    flow: str | None,
    deployment: str | None,
    after: float | None,
    before: float | None,
) -> None:
    """List runs, newest first: those of this machine, or with --remote those of the stage.

    \b
    Examples:
      dagy runs list --status FAILED --after 7d
      dagy runs list --remote --deployment my-etl --format json
    """
    if deployment and place != "remote":
        raise click.UsageError("--deployment goes with --remote: local runs have none.")
    source: Runs = RemoteRuns(session.client) if place == "remote" else local_runs()
    found = source.list(Wanted(limit, statuses, flow, deployment, after, before))
    if session.settings.is_machine_read:
        session.out.items(found, [*MACHINE_COLUMNS, *REMOTE_ONLY] if source.is_remote else MACHINE_COLUMNS)
        return
    rows = ({**run, "flow": f"{run['flow_name']}:{run['flow_version']}"} for run in found)
    session.out.items(rows, [*COLUMNS, *REMOTE_ONLY] if source.is_remote else COLUMNS)


@runs.command("show", cls=Command)
@run_options
@pass_session
def show(session: Session, run_id: str | None, last: bool, place: str | None) -> None:
    """Show a run and its tasks: states, attempts, durations, and why it failed.

    A run of this machine is looked for first, then one of the stage. Ids may be shortened to eight characters or more.

    \b
    Examples:
      dagy runs show daily_etl-20260304
      dagy runs show --last
      dagy runs show --remote --last --format json
    """
    located = locate(session, run_id, last=last, place=place)
    run = located.runs.show(located.run_id)
    session.out.item(run, text=run_text(run, session.out.table))


@runs.command("events", cls=Command)
@remote_run_options
@click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@click.option("--type", "kind", metavar="TYPE", help="Only events of this type, such as task_failed.")
@click.option("--task", metavar="ID", help="Only events of this task run.")
@click.option("--full", is_flag=True, help="Show all of their data in a table, however long.")
@pass_session
def events(
    session: Session,
    run_id: str | None,
    last: bool,
    place: str | None,
    limit: int | None,
    kind: str | None,
    task: str | None,
    full: bool,
) -> None:
    """What happened in a run of the stage, oldest first.

    Events are the engine's: started, attempts, ends. What tasks wrote is in `dagy logs`, what each event means in
    docs/operating.md.

    \b
    Examples:
      dagy runs events --last --type task_failed --full
      dagy runs events daily_etl-20260304T120000Z-a1b2c3 --format jsonl
    """
    located = locate_remote(session, run_id, last=last, place=place, instead="see its log: dagy logs")
    found = (
        event
        for event in session.client.iter_events(located.run_id)
        if kind in (None, event.type) and task in (None, event.task_run_id)
    )
    shown = (row(event) for event in islice(found, limit))
    if not (full or session.settings.is_machine_read):
        shown = ({**event, "data": shortened(event["data"])} for event in shown)
    session.out.items(shown, ["at", "type", "task_run_id", "attempt", "data"])


@runs.command("result", cls=Command)
@run_options
@click.option("--task", metavar="ID", help="The result of this task run.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Save it to this file as it is stored.")
@pass_session
def result(
    session: Session, run_id: str | None, last: bool, place: str | None, task: str | None, output: Path | None
) -> None:
    """What a run's flow returned, or one of its tasks, as JSON.

    A result that is no JSON, or too large for an answer, can be saved with --output.

    \b
    Examples:
      dagy runs result --last
      dagy runs result --last --task extract-1
      dagy runs result daily_etl-20260304 --remote --output rows.parquet
    """
    located = locate(session, run_id, last=last, place=place)
    value = located.runs.result(located.run_id, task)
    if output is not None:
        output.write_bytes(value.data())
        saved = {"run_id": located.run_id, "task_run_id": task, "path": str(output), "codec": value.codec,
                 "size_bytes": value.size_bytes}  # fmt: skip
        session.out.item(saved, text=f"Saved {output}")
    elif value.json is None:
        raise _not_printed(value, located, task)
    else:
        session.out.value(msgspec.json.decode(value.json))


def _not_printed(value: Result, located: Located, task: str | None) -> InvalidInput:
    parts = [f"dagy runs result {located.run_id}", f"--task {task}" if task else "", "--output FILE"]
    command = " ".join(filter(None, parts))
    why = (
        "too large to print" if value.codec.startswith("json") else "not JSON, so only the flow's own code can read it"
    )
    return InvalidInput(f"The result is {why}: {value.codec}, {value.size_bytes:,} bytes", f"Save it: {command}")
