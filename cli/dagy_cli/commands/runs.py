"""`dagy runs`: what ran, what came of it, and stopping what runs."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.states import Status
from dagy_cli.changing import Consent, change_options
from dagy_cli.completing import deployments, words
from dagy_cli.lazy import Group
from dagy_cli.local_runs import local_runs
from dagy_cli.locating import Located, locate, remote_run_options, run_options, where_options
from dagy_cli.run_sources import RemoteRuns, Result, Runs, Wanted, row
from dagy_cli.run_text import run_text
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command
from dagy_cli.watching import FINAL_NAMES

COLUMNS = ["run_id", "status", "started_at", "flow"]
MACHINE_COLUMNS = ["run_id", "status", "flow_name", "flow_version", "started_at", "ended_at", "duration_s"]
REMOTE_ONLY = ["deployment", "trigger"]
runs = Group("runs", help="Runs, here or in a stage.")


@runs.command("list", cls=Command)
@where_options
@click.option("--limit", type=click.IntRange(1, 10000), default=20, show_default=True, help="At most so many.")
@click.option("--status", type=click.Choice([s.value for s in Status], case_sensitive=False), help="Only these.",
              shell_complete=words(*[s.value for s in Status]))  # fmt: skip
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option("--deployment", metavar="NAME", help="Only runs of this deployment (remote).", shell_complete=deployments)
@pass_session
def list_runs(
    session: Session, place: str | None, limit: int, status: str | None, flow: str | None, deployment: str | None
) -> None:
    """List runs, newest first: those of this machine, or with --remote those of the stage.

    \b
    Examples:
      dagy runs list --status FAILED
      dagy runs list --remote --deployment my-etl --format json
    """
    if deployment and place != "remote":
        raise click.UsageError("--deployment goes with --remote: local runs have none.")
    source: Runs = RemoteRuns(session.client) if place == "remote" else local_runs()
    found = source.list(Wanted(most=limit, status=status, flow=flow, deployment=deployment))
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


@runs.command("cancel", cls=Command)
@remote_run_options
@change_options
@pass_session
def cancel(session: Session, run_id: str | None, last: bool, place: str | None, consent: Consent) -> None:
    """Cancel a run of the stage. What it has finished stays; what is running is stopped within seconds.

    A run that has ended already is left as it is. A run of this machine is cancelled where it runs, with Ctrl+C.

    \b
    Examples:
      dagy runs cancel daily_etl-20260304T120000Z-a1b2c3
      dagy runs cancel --last --yes
    """
    located = _remote(locate(session, run_id, last=last, place=place or "remote"), "cancel it where it runs: Ctrl+C")
    before = session.client.get_run(located.run_id)
    if before.status in FINAL_NAMES:
        text = f"Run {before.run_id} has ended already, {before.status}: there is nothing to cancel"
        session.out.item(row(before), text=text)
        return
    if consent.is_dry_run:
        text = f"Would cancel {before.run_id} status={before.status}"
        session.out.dry_run(row(before), text)
        return
    consent.ask(f"Cancel the run {located.run_id}", destroys=True, production=session.production)
    run = session.client.cancel_run(located.run_id)
    what = (
        f"Cancelled {run.run_id}" if run.status == Status.CANCELLED else f"Cancelling {run.run_id} status={run.status}"
    )
    session.out.item(row(run), text=what)


@runs.command("events", cls=Command)
@remote_run_options
@click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@pass_session
def events(session: Session, run_id: str | None, last: bool, place: str | None, limit: int | None) -> None:
    """What happened in a run of the stage, oldest first.

    Events are the engine's: started, attempts, ends. What tasks wrote is in `dagy logs`.

    \b
    Examples:
      dagy runs events --last
      dagy runs events daily_etl-20260304T120000Z-a1b2c3 --format jsonl
    """
    located = _remote(locate(session, run_id, last=last, place=place or "remote"), "see its log: dagy logs")
    found: list[dict[str, object]] = []
    after: str | None = None
    while True:
        page = session.client.list_events(located.run_id, after=after)
        found += [row(event) for event in page.items]
        after = page.next_cursor
        if after is None or (limit is not None and len(found) >= limit):
            break
    session.out.items(found[:limit], ["at", "type", "task_run_id", "attempt", "data"])


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
        session.out.remark(f"Saved {output}")
    elif value.json is None:
        raise _not_printed(value, located, task)
    else:
        session.out.answer(msgspec.json.format(value.json, indent=2).decode())


def _not_printed(value: Result, located: Located, task: str | None) -> InvalidInput:
    parts = [f"dagy runs result {located.run_id}", f"--task {task}" if task else "", "--output FILE"]
    command = " ".join(filter(None, parts))
    why = (
        "too large to print" if value.codec.startswith("json") else "not JSON, so only the flow's own code can read it"
    )
    return InvalidInput(f"The result is {why}: {value.codec}, {value.size_bytes:,} bytes", f"Save it: {command}")


def _remote(located: Located, instead: str) -> Located:
    if not located.runs.is_remote:
        raise NotFound("remote run", located.run_id, f"It is a run of this machine; {instead}")
    return located
