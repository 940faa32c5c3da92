"""`dagy help`: topics that belong to no single command."""

from __future__ import annotations

import click

from dagy_cli.exit_codes import MEANINGS
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.group("help", cls=Group, short_help="Topics that belong to no single command.")
def help_topics() -> None:
    """Topics that belong to no single command."""


@help_topics.command("exit-codes", cls=Command)
@pass_session
def exit_codes(session: Session) -> None:
    """What the exit code of a command says."""
    rows = [{"code": int(code), "name": code.name, "meaning": meaning} for code, meaning in MEANINGS.items()]
    session.out.items(rows, ["code", "name", "meaning"], text=lambda row: f"{row['code']:>3}  {row['meaning']}")
