"""`dagy help`: topics that belong to no single command."""

from __future__ import annotations

from dataclasses import asdict

import click

from dagy_cli.environment import VARIABLES
from dagy_cli.exit_codes import MEANINGS
from dagy_cli.formatting import FORMATTING, indented
from dagy_cli.lazy import Group
from dagy_cli.output import Row
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.group("help", cls=Group, short_help="Topics that belong to no single command.")
def help_topics() -> None:
    """Topics that belong to no single command."""


@help_topics.command("exit-codes", cls=Command)
@pass_session
def exit_codes(session: Session) -> None:
    """What the exit code of a command says. Numbers never change their meaning.

    \b
    Examples:
      dagy help exit-codes
      dagy help exit-codes --json
    """
    rows = [{"code": int(code), "name": code.name, "meaning": meaning} for code, meaning in MEANINGS.items()]
    session.out.items(rows, ["code", "name", "meaning"], text=lambda row: f"{row['code']:>3}  {row['meaning']}")


@help_topics.command("environment", cls=Command)
@pass_session
def environment(session: Session) -> None:
    """The variables that commands listen to. An option on the line always wins over them.

    What they come to now, and where each value is from, is told by `dagy config show --origin`.

    \b
    Examples:
      dagy help environment
    """
    rows = [asdict(variable) for variable in VARIABLES]
    width = max(len(variable.name) for variable in VARIABLES)
    session.out.items(rows, ["name", "meaning", "default"], text=lambda row: _line(row, width))


@help_topics.command("formatting", cls=Command)
@pass_session
def formatting(session: Session) -> None:
    """What is written where, in which format, and when it is coloured or redrawn.

    Facts go to stdout; remarks, progress, questions and errors to stderr. What reads stdout can rely on it.

    \b
    Examples:
      dagy help formatting
    """
    rows = [asdict(rule) for rule in FORMATTING]
    session.out.items(rows, ["subject", "rule"], text=lambda row: f"{row['subject']}\n{indented(row['rule'])}\n")


def _line(row: Row, width: int) -> str:
    default = f"  [default: {row['default']}]" if row["default"] else ""
    return f"{row['name']:<{width}}  {row['meaning']}{default}"
