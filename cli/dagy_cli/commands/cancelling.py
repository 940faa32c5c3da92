"""`dagy runs cancel` and `cancel-all`: ending runs of a stage before they end themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from dagy.core.states import FINAL, Status
from dagy.core.timestamps import to_epoch
from dagy_cli.changing import Consent, change_options
from dagy_cli.completing import deployments
from dagy_cli.locating import locate_remote, remote_run_options
from dagy_cli.moments import period_options
from dagy_cli.run_sources import RemoteRuns, Row, Wanted, bounds, row
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.client.http import DagyClient

OPEN: Final = tuple(status.value for status in Status if status not in FINAL)
LASTING: Final = ["flow_name", "flow_version", "deployment", "created_at"]
COLUMNS: Final = ["run_id", *LASTING]
COLUMNS_BEFORE: Final = ["run_id", "status", *LASTING]


@click.command("cancel", cls=Command)
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
    located = locate_remote(session, run_id, last=last, place=place, instead="cancel it where it runs: Ctrl+C")
    before = session.client.get_run(located.run_id)
    if Status(before.status) in FINAL:
        text = f"Run {before.run_id} has ended already, {before.status}: there is nothing to cancel"
        session.out.item(row(before), text=text)
        return
    if consent.is_dry_run:
        session.out.dry_run(row(before), f"Would cancel {before.run_id} status={before.status}")
        return
    consent.ask(f"Cancel the run {located.run_id}", destroys=True, production=session.production)
    run = session.client.cancel_run(located.run_id)
    is_done = run.status == Status.CANCELLED
    text = f"Cancelled {run.run_id}" if is_done else f"Cancelling {run.run_id} status={run.status}"
    session.out.item(row(run), text=text)


@click.command("cancel-all", cls=Command)
@click.option("--deployment", metavar="NAME", help="Runs of this deployment.", shell_complete=deployments)
@click.option("--flow", metavar="NAME", help="Runs of this flow.")
@click.option("--status", "statuses", type=click.Choice(OPEN, case_sensitive=False), multiple=True,
              help="Only runs that are so. Repeatable.  [default: all that have not ended]")  # fmt: skip
@period_options
@change_options
@pass_session
def cancel_all(
    session: Session,
    deployment: str | None,
    flow: str | None,
    statuses: tuple[str, ...],
    after: float | None,
    before: float | None,
    consent: Consent,
) -> None:
    """Cancel the runs of a deployment or a flow that have not ended.

    A run that is being carried out ends within seconds. Those that start meanwhile are not cancelled; pause the
    deployment first. When something fails on the way, the runs named until then are cancelled, and a repeat goes on
    with the rest.

    \b
    Examples:
      dagy runs cancel-all --deployment my-etl --status PENDING --dry-run
      dagy runs cancel-all --flow daily_etl --after 2h --yes
    """
    if not (deployment or flow):
        raise click.UsageError("Say whose runs: --deployment or --flow.")
    wanted = Wanted(None, statuses or OPEN, flow, deployment, after, before)
    found = list(RemoteRuns(session.client).list(wanted))
    if consent.is_dry_run:
        _tell(session, f"Would cancel {_runs(found)}", [{**run, "dry_run": True} for run in found], COLUMNS_BEFORE)
        return
    if found:
        whose = " and ".join(filter(None, (deployment and f"deployment {deployment}", flow and f"flow {flow}")))
        consent.ask(f"Cancel {_runs(found)} of {whose}", destroys=True, production=session.production)
    done: list[Row] = []
    try:
        done += _cancelled(session.client, wanted, found) if found else ()
    finally:
        _tell(session, f"Cancelled {_runs(done)}", done, COLUMNS)


def _cancelled(client: DagyClient, wanted: Wanted, found: Sequence[Row]) -> Iterator[Row]:
    """Of the runs that match, those that are no younger than the youngest that was found."""
    known = {run["run_id"]: run for run in found}
    after, before = bounds(wanted.after, to_epoch(found[0]["created_at"]) + 0.001)
    request = {
        "flow_name": wanted.flow, "deployment": wanted.deployment, "statuses": wanted.statuses,
        "after": after, "before": before,
    }  # fmt: skip
    cursor = None
    while True:
        page = client.cancel_runs({**request, "cursor": cursor})
        for run_id in page.run_ids:
            facts = known.get(run_id, {})
            yield {"run_id": run_id, **{name: facts.get(name) for name in LASTING}, "cancelled": True}
        cursor = page.next_cursor
        if cursor is None:
            return


def _tell(session: Session, text: str, runs: list[Row], columns: Sequence[str]) -> None:
    if not session.settings.is_machine_read:
        session.out.answer(text)
    session.out.items(runs, columns, text=lambda run: f"  {run['run_id']}")


def _runs(found: list[Row]) -> str:
    return f"{len(found)} run{'' if len(found) == 1 else 's'}"
