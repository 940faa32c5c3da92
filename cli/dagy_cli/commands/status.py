"""`dagy status`: how things are, at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from dagy_cli.amounts import bytes_text, count_text
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.command("status", cls=Command, short_help="How things are, here and in the stage.")
@click.option("--detail", is_flag=True, help="Also which runs, what takes room, what fires next.")
@pass_session
def status(session: Session, detail: bool) -> None:
    """How things are, here and in the stage: the profile, its API, who you are, what runs, what takes room.

    An API that does not answer is told, and is no error; `dagy doctor` looks closer.

    \b
    Examples:
      dagy status
      dagy status --detail --profile prod --json
    """
    from dagy.config import resolve_api_url
    from dagy_cli import standing

    profile = session.profile
    facts = {
        "profile": profile.name,
        "stage": profile.stage,
        "api_url": resolve_api_url(profile),
        **standing.there(profile, is_detailed=detail),
        "local": standing.here(is_detailed=detail),
    }
    session.out.item(facts, text="\n".join(f"{title:<8}  {text}" for title, text in _lines(facts)))


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    stage = f", stage {facts['stage']}" if facts["stage"] else ""
    where = facts["api_url"] or "no API, everything is local"
    yield "Profile", f"{facts['profile'] or 'none'}: {where}{stage}"
    api, who, remote, local = facts["api"], facts["who"], facts["remote"], facts["local"]
    if api is not None:
        yield "API", f"answers, dagy {api['version']}" if api["is_reachable"] else "does not answer"
        if api["error"]:
            yield "", f"{api['error']}{f' ({hint})' if (hint := api['hint']) else ''}"
    if who is not None:
        yield "You", f"{who['name']} ({who['kind']}), role {who['role']}"
    if remote is not None:
        runs, deployments = count_text(remote["active_runs"], "active run"), remote["deployments"]
        yield "Stage", f"{runs}, {count_text(deployments, 'deployment')}"
        yield from _remote_detail(remote)
    last = f"; the last was {local['last_run']['run_id']} {local['last_run']['status']}" if local["last_run"] else ""
    running = f"{count_text(local['running'], 'run')} going on" if local["running"] else "no run going on"
    yield "Here", local["error"] or f"{running}{last}"
    yield "", f"{bytes_text(local['size_bytes'])} in {local['folder']}"
    yield from _local_detail(local)


def _remote_detail(remote: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for run in remote.get("runs", ()):
        yield "", f"  {run['run_id']}  {run['status']}"
    if remote.get("next_fire"):
        yield "", f"  next: {remote['next_fire']['deployment']} at {remote['next_fire']['at']}"
    if remote.get("last_failed"):
        yield "", f"  last failed: {remote['last_failed']['run_id']} at {remote['last_failed']['ended_at']}"


def _local_detail(local: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for run in local.get("running_runs", ()):
        yield "", f"  {run['run_id']}  since {run['started_at']}"
    for name, size in local.get("sizes_bytes", {}).items():
        yield "", f"  {name:<8}  {bytes_text(size)}"
