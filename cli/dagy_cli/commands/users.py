"""`dagy users`: the people who may sign in to a stage."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["email", "role", "is_enabled", "status", "created_at", "id"]
ROLE = click.Choice(["viewer", "developer", "admin"])
SOON = "It counts everywhere within half a minute."

users = Group("users", help="People who may sign in to a stage.", aliases={"invite": "add", "delete": "remove"})


@users.command("list", cls=Command)
@pass_session
def list_users(session: Session) -> None:
    """List all people who may sign in, in the user pool's order. API keys are not among them: `dagy keys list`.

    A status of FORCE_CHANGE_PASSWORD means that somebody was invited and has not signed in yet.

    \b
    Examples:
      dagy users list
      dagy users list --format csv
    """
    session.out.items((msgspec.to_builtins(user) for user in session.client.iter_users()), COLUMNS)


@users.command("show", cls=Command)
@click.argument("user", metavar="EMAIL|ID", shell_complete=completing.users)
@pass_session
def show(session: Session, user: str) -> None:
    """Show one person: the role, and whether they may sign in. What they changed: `dagy audit list --actor EMAIL`.

    \b
    Examples:
      dagy users show ann@example.com
    """
    session.out.item(msgspec.to_builtins(session.client.get_user(user)))


@users.command("add", cls=Command)
@click.argument("email")
@click.option("--role", type=ROLE, default="viewer", show_default=True, help="What they may do.")
@click.option("--no-email", is_flag=True, help="Send no mail; show the temporary password here, once.")
@change_options
@pass_session
def add(session: Session, email: str, role: str, no_email: bool, consent: Consent) -> None:
    """Invite somebody to the stage. They get a temporary password by mail, and choose their own at the first sign-in.

    The invitation is good for a week. The local cloud sends no mail: there, and wherever mail does not arrive,
    --no-email shows the password here instead, for you to hand over.

    \b
    Examples:
      dagy users add ann@example.com --role developer
      dagy users add ann@example.com --no-email --profile local
    """
    from dagy.client.models import UserInviteRequest

    if consent.is_dry_run:
        wanted = {"email": email, "role": role, "sends_email": not no_email}
        session.out.dry_run(wanted, f"Would add {email} as {role}")
        return
    consent.ask(f"Add {email} as {role}", production=session.production)
    made = session.client.invite_user(UserInviteRequest(email=email, role=role, sends_email=not no_email))
    password = f"\nTemporary password: {made.temporary_password}" if made.temporary_password else ""
    session.out.item(msgspec.to_builtins(made), text=f"Added {made.email} as {made.role}{password}")
    if password:
        session.out.remark("Keep it now: it is not shown again. The first sign-in asks for another.")
    profile = session.profile
    if profile.name and profile.api_url and profile.app_url:
        where = f"--api-url '{profile.api_url}' --app-url '{profile.app_url}'"
        session.out.remark(f"For them:  dagy config set {profile.name} {where} && dagy login")


@users.command("set-role", cls=Command)
@click.argument("user", metavar="EMAIL|ID", shell_complete=completing.users)
@click.argument("role", type=ROLE)
@change_options
@pass_session
def set_role(session: Session, user: str, role: str, consent: Consent) -> None:
    """Give somebody another role. It counts everywhere within half a minute, also for who is signed in.

    Nobody can take the role of admin from themselves: another admin can, or an admin key.

    \b
    Examples:
      dagy users set-role ann@example.com admin
      dagy users set-role ann@example.com viewer --dry-run
    """
    if consent.is_dry_run:
        found = session.client.get_user(user)
        session.out.dry_run(
            msgspec.to_builtins(found), f"{found.email} is {found.role or 'without a role'} and would be {role}"
        )
        return
    consent.ask(f"Make {user} {role}", production=session.production)
    changed = session.client.set_user_role(user, role)
    session.out.item(msgspec.to_builtins(changed), text=f"{changed.email} is {changed.role}")
    session.out.remark(SOON)


@users.command("disable", cls=Command)
@click.argument("user", metavar="EMAIL|ID", shell_complete=completing.users)
@change_options
@pass_session
def disable(session: Session, user: str, consent: Consent) -> None:
    """Shut somebody out, until they are enabled. It also ends what they are signed in to.

    Their tokens are worth nothing within half a minute, and never again. API keys they have made stay good.

    \b
    Examples:
      dagy users disable ann@example.com
    """
    if consent.is_dry_run:
        _would(session, user, "disable")
        return
    consent.ask(f"Disable {user}", production=session.production)
    _tell(session, session.client.disable_user(user), "Disabled")
    session.out.remark(SOON)


@users.command("enable", cls=Command)
@click.argument("user", metavar="EMAIL|ID", shell_complete=completing.users)
@change_options
@pass_session
def enable(session: Session, user: str, consent: Consent) -> None:
    """Let somebody who was disabled sign in again. Tokens from before stay worthless.

    \b
    Examples:
      dagy users enable ann@example.com
    """
    if consent.is_dry_run:
        _would(session, user, "enable")
        return
    consent.ask(f"Enable {user}", production=session.production)
    _tell(session, session.client.enable_user(user), "Enabled")


@users.command("remove", cls=Command)
@click.argument("user", metavar="EMAIL|ID", shell_complete=completing.users)
@change_options
@pass_session
def remove(session: Session, user: str, consent: Consent) -> None:
    """Remove somebody from the user pool, for ever. Their tokens are worth nothing within half a minute.

    What they deployed stays, and so do their entries in the audit log and the API keys they have made. Whoever is
    added with that address later is somebody new.

    \b
    Examples:
      dagy users remove ann@example.com --dry-run
      dagy users remove ann@example.com --yes
    """
    found = session.client.get_user(user)
    if consent.is_dry_run:
        session.out.dry_run(msgspec.to_builtins(found), f"Would remove {_named(found)}")
        return
    consent.ask(f"Remove {_named(found)}", destroys=True, production=session.production)
    _tell(session, session.client.remove_user(found.id), "Removed")


def _would(session: Session, user: str, deed: str) -> None:
    found = session.client.get_user(user)
    session.out.dry_run(msgspec.to_builtins(found), f"Would {deed} {_named(found)}")


def _tell(session: Session, user: Any, done: str) -> None:
    session.out.item(msgspec.to_builtins(user), text=f"{done} {_named(user)}")


def _named(user: Any) -> str:
    return f"{user.email} ({user.role or 'without a role'})"
