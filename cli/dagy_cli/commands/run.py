"""`dagy run`: a flow here, or a deployment in its stage."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any, Final

import click

from dagy.core.errors import LocalExecutionError, RunFailed
from dagy.core.states import Status
from dagy_cli.local_runs import run_row
from dagy_cli.params import pairs
from dagy_cli.remote_run import Waiting, run_remotely
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command, Settings

VERBOSE: Final = "DAGY_LOCAL_VERBOSE"


@click.command("run", cls=Command, short_help="Run a flow here, or a deployment remotely.")
@click.argument("target", metavar="PATH:FLOW | DEPLOYMENT")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the flow. Repeatable.")
@click.option("--local", "place", flag_value="local", help="The target is a flow to run on this machine.")
@click.option("--remote", "place", flag_value="remote", help="The target is a deployment.")
@click.option("--max-workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Tasks at the same time.")
@click.option("--no-fail-fast", is_flag=True, help="After a failure, go on with what does not depend on it.")
@click.option("--execution-mode", "modes", multiple=True, metavar="MODE", help="Another size or isolation (remote).")
@click.option("--watch", is_flag=True, help="Show tasks and log lines until the run has ended (remote).")
@click.option("--wait", is_flag=True, help="Wait until the run has ended (remote).")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer (remote).")
@click.option("--idempotency-key", metavar="KEY", help="Commands with the same key start one run (remote).")
@pass_session
def run(
    session: Session,
    target: str,
    params: tuple[str, ...],
    place: str | None,
    max_workers: int,
    no_fail_fast: bool,
    modes: tuple[str, ...],
    watch: bool,
    wait: bool,
    timeout_s: float | None,
    idempotency_key: str | None,
) -> None:
    """Run a flow on this machine (PATH:FLOW), or a deployment in its stage (a name).

    \b
    Examples:
      dagy run pipelines/etl.py:daily_etl --param date=2026-03-04 --max-workers 4
      dagy run my-etl --param env=prod --watch
      dagy run my-etl --wait --timeout 600 --json
    """
    texts = pairs("param", params)
    if place == "remote" or (place is None and not is_flow_target(target)):
        run_remotely(
            session,
            target,
            texts,
            request={
                "execution_mode": list(modes) or None,
                "fail_fast": not no_fail_fast,
                "max_workers": max_workers,
            },
            waiting=Waiting(is_watched=watch, is_waited_for=wait or timeout_s is not None, timeout_s=timeout_s),
            idempotency_key=idempotency_key,
        )
        return
    remote_only = {"--execution-mode": modes, "--watch": watch, "--wait": wait, "--timeout": timeout_s is not None,
                   "--idempotency-key": idempotency_key}  # fmt: skip
    for option, is_given in remote_only.items():
        if is_given:
            raise click.UsageError(f"{option} is for remote runs; {target!r} runs on this machine.")
    _run_here(session, target, texts, max_workers=max_workers, fail_fast=not no_fail_fast)


def is_flow_target(target: str) -> bool:
    """Whether the target's form says that it is a flow in a file: names of deployments have neither."""
    return ":" in target or target.endswith(".py") or "/" in target


def _run_here(session: Session, target: str, texts: dict[str, str], *, max_workers: int, fail_fast: bool) -> None:
    from dagy.artifact import load_target
    from dagy.local import run_local
    from dagy.parameters import coerce_text, describe

    flow = load_target(target)
    values: dict[str, Any] = coerce_text(describe(flow.fn), texts)
    try:
        with _told(session.settings):
            done = run_local(flow, (), values, fail_fast=fail_fast, max_workers=max_workers)
    except LocalExecutionError as error:
        error.hint = error.hint or "What it wrote: dagy logs --local --last"
        raise
    session.out.item(run_row(done.run), text=f"Run completed: {done.run_id} status={done.status}")
    if done.status is not Status.SUCCEEDED:
        raise RunFailed(done.run_id, str(done.status), done.run.message)


@contextmanager
def _told(settings: Settings) -> Iterator[None]:
    """What the flow prints goes to stderr while stdout is read by a machine; `--verbose` is DAGY_LOCAL_VERBOSE."""
    before = os.environ.get(VERBOSE)
    if settings.is_verbose:
        os.environ[VERBOSE] = "true"
    try:
        with redirect_stdout(sys.stderr) if settings.is_machine_read else nullcontext():
            yield
    finally:
        if settings.is_verbose:
            os.environ.pop(VERBOSE)
            os.environ.update({VERBOSE: before} if before is not None else {})
