"""`dagy local`: the local cloud on this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagy_cli.changing import Consent, change_options
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy_infra.local_cloud import CloudStatus, LocalCloud

local = Group("local", help="The local cloud: AWS emulated on this machine.")


@local.command("start", cls=Command)
@click.option("--port", type=click.IntRange(1, 65535), help="Where AWS answers.  [default: the last one, or any free]")
@click.option("--iam", is_flag=True, help="Enforce IAM policies, as AWS does.")
@pass_session
def start(session: Session, port: int | None, iam: bool) -> None:
    """Start it, provision stage `local` in it, and make profile `local`. A repeat deploys only what changed.

    It goes on in the background, without Docker and without an AWS account. The first start takes a minute or two,
    because it makes an environment for the emulator.

    \b
    Examples:
      dagy local start
      dagy local start --port 4566 --iam
    """
    cloud = _cloud(port, iam)
    status = cloud.start(session.out.remark, progress=session.out.detail)
    session.out.item(_shown(status), text=_told(status))
    session.out.next("dagy deploy <flow.py> --profile local")


@local.command("stop", cls=Command)
@pass_session
def stop(session: Session) -> None:
    """Stop it. What is deployed and what has run is there again at the next start.

    Runs that are under way stop, and go on a minute after the next start.

    \b
    Examples:
      dagy local stop
    """
    was_running = _cloud().stop(session.out.remark)
    session.out.item({"stopped": was_running}, text="Stopped" if was_running else "The local cloud was not running")


@local.command("status", cls=Command)
@pass_session
def status(session: Session) -> None:
    """Say whether it runs, and where.

    That it does not run is an answer too, with exit code 0.

    \b
    Examples:
      dagy local status
      dagy local status --json
    """
    found = _cloud().status()
    if found is None:
        session.out.item({"running": False}, text="The local cloud does not run. Start it: dagy local start")
    else:
        session.out.item(_shown(found), text=_told(found))


@local.command("reset", cls=Command)
@change_options
@pass_session
def reset(session: Session, consent: Consent) -> None:
    """Delete everything in it: flows, deployments, runs. If it was running, it starts afresh.

    Records of runs on this machine (`dagy runs list`) are no part of it and stay.

    \b
    Examples:
      dagy local reset --dry-run
      dagy local reset --yes
    """
    cloud = _cloud()
    if consent.is_dry_run:
        is_running = cloud.status() is not None
        facts = {"reset": False, "running": is_running}
        session.out.dry_run(facts, "Would delete everything in the local cloud")
        return
    consent.ask("Delete everything in the local cloud", destroys=True)
    found = cloud.reset(session.out.remark)
    session.out.item({"reset": True, "running": found is not None}, text="The local cloud is empty")


@local.command("logs", cls=Command)
@click.option("--lines", type=click.IntRange(1), default=50, show_default=True, help="How many of the last lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on as lines are written, until Ctrl+C.")
@pass_session
def logs(session: Session, lines: int, follow: bool) -> None:
    """Show what the emulator and the functions in it have written.

    That is the emulator's own log, for when something is wrong with it; what a run wrote is in `dagy logs --remote`.

    \b
    Examples:
      dagy local logs --lines 200
      dagy local logs --follow
    """
    log = _cloud().log
    session.out.items(({"line": line} for line in _last_lines(log, lines)), ["line"], text=lambda row: str(row["line"]))
    if follow and (tail := shutil.which("tail")) is not None:
        import subprocess

        sys.stdout.flush()
        subprocess.run([tail, "-n", "0", "-F", str(log)], check=False)


def _cloud(port: int | None = None, enforce_iam: bool = False) -> LocalCloud:
    from dagy.local.paths import local_dir
    from dagy_infra.local_cloud import LocalCloud  # a lazy door: not everybody who types `dagy` provisions

    return LocalCloud(local_dir(), port, enforce_iam)


def _shown(status: CloudStatus) -> dict[str, Any]:
    return {
        "running": True,
        "endpoint_url": status.endpoint_url,
        "api_url": status.api_url,
        "profile": "local" if status.manifest else None,
        "pid": status.pid,
        "iam_enforced": status.enforces_iam,
        "log": str(status.log),
    }


def _told(status: CloudStatus) -> str:
    lines = [
        f"The local cloud runs (process {status.pid}{', IAM enforced' if status.enforces_iam else ''})",
        f"  AWS   {status.endpoint_url}",
        f"  API   {status.api_url or 'not provisioned; run: dagy local start'}",
        f"  Log   {status.log}",
    ]
    return "\n".join(lines)


def _last_lines(path: Path, count: int) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file.read().splitlines()[-count:]
    except FileNotFoundError:
        return
