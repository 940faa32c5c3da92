"""`dagy deployments`: what can be run, with which settings, and when it runs by itself."""

from __future__ import annotations

import click
import msgspec

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.commands.deployment_versions import history, rollback
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["name", "flow_name", "flow_version", "status", "execution_mode", "schedule", "timezone", "updated_at"]
deployments = Group("deployments", help="Deployments: what can be run, and when.")
deployments.add_command(history)
deployments.add_command(rollback)


@deployments.command("list", cls=Command)
@click.option("--flow", metavar="NAME", help="Only those of this flow.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Deployments per request.")
@pass_session
def list_deployments(session: Session, flow: str | None, limit: int) -> None:
    """List all deployments.

    One row for each, paused ones included, page by page until the last.

    \b
    Examples:
      dagy deployments list
      dagy deployments list --flow daily_etl --format json
    """
    found = session.client.iter_deployments(page=limit, flow_name=flow)
    session.out.items((msgspec.to_builtins(deployment) for deployment in found), COLUMNS)


@deployments.command("show", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@pass_session
def show(session: Session, name: str) -> None:
    """Show a deployment: its settings and when it fires next.

    Times are UTC; a schedule fires by the clocks of its own zone.

    \b
    Examples:
      dagy deployments show my-etl
      dagy deployments show my-etl --json
    """
    session.out.item(msgspec.to_builtins(session.client.get_deployment(name)))


@deployments.command("pause", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@change_options
@pass_session
def pause(session: Session, name: str, consent: Consent) -> None:
    """Stop the schedule from firing. Runs asked for by hand still start.

    Runs that have started go on; what would have fired meanwhile is not made up for.

    \b
    Examples:
      dagy deployments pause my-etl
      dagy deployments pause my-etl --profile prod --yes
    """
    _set_status(session, name, "PAUSED", consent)


@deployments.command("resume", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@change_options
@pass_session
def resume(session: Session, name: str, consent: Consent) -> None:
    """Let the schedule fire again.

    It fires at its next time; what was missed while it was paused is not made up for.

    \b
    Examples:
      dagy deployments resume my-etl
    """
    _set_status(session, name, "ACTIVE", consent)


@deployments.command("delete", cls=Command)
@click.argument("name", shell_complete=completing.deployments)
@change_options
@pass_session
def delete(session: Session, name: str, consent: Consent) -> None:
    """Delete a deployment and its schedule. The flow and past runs stay.

    Runs that have started go on to their end.

    \b
    Examples:
      dagy deployments delete my-etl --dry-run
      dagy deployments delete my-etl --yes
    """
    if consent.is_dry_run:
        found = session.client.get_deployment(name)
        session.out.dry_run({"name": found.name, "deleted": False}, f"Would delete {found.name}")
        return
    consent.ask(f"Delete the deployment {name} and its schedule", destroys=True, production=session.production)
    session.client.delete_deployment(name)
    session.out.item({"name": name, "deleted": True}, text=f"Deleted {name}")


def _set_status(session: Session, name: str, status: str, consent: Consent) -> None:
    from dagy.client.models import DeploymentSettingsRequest

    if consent.is_dry_run:
        found = session.client.get_deployment(name)
        text = f"{found.name} is {found.status} and would be {status}"
        session.out.dry_run(msgspec.to_builtins(found), text)
        return
    consent.ask(f"{'Pause' if status == 'PAUSED' else 'Resume'} the deployment {name}", production=session.production)
    changed = session.client.change_settings(name, DeploymentSettingsRequest(status=status))
    session.out.item(msgspec.to_builtins(changed), text=f"{changed.name} is {changed.status}")
