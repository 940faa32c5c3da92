"""`dagy deployments history` and `rollback`: what a deployment was, and the way back."""

from __future__ import annotations

from itertools import islice

import click
import msgspec

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["deployment_version", "flow_version", "artifact", "execution_mode", "schedule", "updated_at", "updated_by"]


@click.command("history", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many versions.")
@pass_session
def history(session: Session, name: str, limit: int) -> None:
    """List what a deployment was at each of its versions, newest first.

    Each deploy and each change of settings made one. Versions go when the deployment is deleted.

    \b
    Examples:
      dagy deployments history my-etl
      dagy deployments history my-etl --json
    """
    found = session.client.iter_deployment_versions(name, page=limit)
    rows = (msgspec.to_builtins(version) for version in islice(found, limit))
    session.out.items(({**row, "artifact": (row["artifact_sha256"] or "")[:12]} for row in rows), COLUMNS)


@click.command("rollback", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@click.option(
    "--to",
    "number",
    type=click.IntRange(1),
    metavar="VERSION",
    help="The version to go back to.  [default: the newest earlier one with other code]",
)
@change_options
@pass_session
def rollback(session: Session, name: str, number: int | None, consent: Consent) -> None:
    """Go back to the code and the settings of an earlier version, as a new version.

    A flow version that was replaced since is registered again as it was. A paused deployment stays paused.

    \b
    Examples:
      dagy deployments rollback etl
      dagy deployments rollback etl --to 7
    """
    where = f"version {number}" if number else "the newest earlier version with other code"
    if consent.is_dry_run:
        found = session.client.get_deployment(name)
        text = f"Would take {found.name} from version {found.deployment_version} back to {where}"
        session.out.dry_run({"name": found.name, "deployment_version": number}, text)
        return
    consent.ask(f"Take the deployment {name} back to {where}", production=session.production)
    back = session.client.roll_back(name, number)
    text = f"{back.name} is at version {back.deployment_version}: {back.flow_name}:{back.flow_version}"
    if back.artifact_sha256:
        text += f", artifact {back.artifact_sha256[:12]}"
    session.out.item(msgspec.to_builtins(back), text=text)
