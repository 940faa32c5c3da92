"""`dagy doctor`: whether everything is there that commands need, and how to mend what is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from dagy_cli.doctor.finding import Finding, Outcome
from dagy_cli.output import Row
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

SIGNS = {Outcome.OK: ("✓", "green"), Outcome.WARNING: ("!", "yellow"), Outcome.FAILED: ("✗", "red"),
         Outcome.SKIPPED: ("-", None)}  # fmt: skip


@click.command("doctor", cls=Command, short_help="Check this machine, the profile, and what it points to.")
@pass_session
def doctor(session: Session) -> None:
    """Check this machine, the profile, and what it points to; each line that is not right ends with what mends it.

    Nothing is changed, and nobody is asked but the API and the AWS account of the profile in force. The exit code is 1
    when something failed. Warnings are no failures: what they are about works.

    \b
    Examples:
      dagy doctor
      dagy doctor --profile prod --json
    """
    found = _findings(session.settings.profile)
    rows = [{**asdict(finding), "outcome": finding.outcome.value} for finding in found]
    session.out.items(rows, ["check", "outcome", "detail", "mend"], text=_line)
    counts = Counter(finding.outcome for finding in found)
    told = [f"{counts[outcome]} {word}" for outcome, word in (
        (Outcome.FAILED, "failed"), (Outcome.WARNING, "to be looked at")) if counts[outcome]]  # fmt: skip
    session.out.remark("\n" + (", ".join(told) if told else "All is well."))
    if counts[Outcome.FAILED]:
        click.get_current_context().exit(1)


def _findings(profile: str | None) -> list[Finding]:
    from dagy_cli.doctor import machine, stage, tools
    from dagy_cli.doctor.finding import Later, looked_into

    there = Later("profile", lambda: stage.everything(profile), mend="dagy config")
    found: list[Finding] = []
    for check, look in (
        ("python", machine.python),
        ("local folder", machine.local_state),
        ("records", machine.duckdb),
        ("time zones", machine.time_zones),
        ("completion", machine.completion),
        ("provisioning", tools.provisioning),
    ):
        found += looked_into(check, look, mend="dagy doctor --debug")
    return found + there.found(within_s=2 * stage.WAITED_S)


def _line(row: Row) -> str:
    sign, color = SIGNS[Outcome(row["outcome"])]
    mend = f"  → {row['mend']}" if row["mend"] else ""
    return f"{click.style(sign, fg=color) if color else sign} {row['check']:<13} {row['detail']}{mend}"
