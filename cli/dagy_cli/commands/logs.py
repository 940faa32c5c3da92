"""`dagy logs`: what a run wrote."""

from __future__ import annotations

import click

from dagy_cli.locating import locate, run_options
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["at", "task_run_id", "stream", "line"]


@click.command("logs", cls=Command, short_help="Show the logs of a run.")
@run_options
@click.option("--task", metavar="ID", help="Only the lines of this task run.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@pass_session
def logs(session: Session, run_id: str | None, last: bool, place: str | None, task: str | None, follow: bool) -> None:
    """Show the logs of a run: one of this machine, else one of the stage.

    \b
    Examples:
      dagy logs daily_etl-20260304T120000Z-a1b2c3 --task load-1
      dagy logs --remote --last --follow
    """
    located = locate(session, run_id, last=last, place=place)
    lines = located.runs.log(located.run_id, task, is_followed=follow)
    if session.settings.is_machine_read:
        lines = ({key: value for key, value in line.items() if key != "text"} for line in lines)
    session.out.items(lines, COLUMNS, text=lambda line: str(line["text"]))
