"""`dagy run`: a flow here, or a deployment in its stage."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

import click

from dagy.core.errors import APIError, InvalidInput, LocalExecutionError, RunFailed
from dagy.core.states import Status
from dagy_cli import completing
from dagy_cli.amounts import count_text
from dagy_cli.following import Follower, following
from dagy_cli.local_runs import run_row
from dagy_cli.locating import place_options
from dagy_cli.params import pairs
from dagy_cli.remote_run import Waiting, run_remotely, would_run_remotely
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command, Settings

if TYPE_CHECKING:
    from dagy.local import LocalRunContext

VERBOSE: Final = "DAGY_LOCAL_VERBOSE"
AFTER_A_FAILURE: Final = (
    "What it wrote: dagy logs --local --last. To finish it once that is mended: dagy run --resume-last"
)


class _Run(Command):
    """Who types `dagy run list` means `dagy runs list`, and is told so."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if not _is_verb_of_runs(first):
                raise
            raise click.UsageError(f"{error.format_message()} Did you mean 'dagy runs {first}'?", ctx) from error


@click.command("run", cls=_Run, short_help="Run a flow here, or a deployment remotely.")
@click.argument("target", metavar="PATH:FLOW | DEPLOYMENT", required=False, shell_complete=completing.run_targets)
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the flow. Repeatable.")
@place_options(local="The target is a flow to run on this machine.", remote="The target is a deployment.")
@click.option("--max-workers", type=click.IntRange(1, 64), help="Tasks at the same time.  [default: 1]")
@click.option("--no-fail-fast", is_flag=True, help="After a failure, go on with what does not depend on it.")
@click.option("--resume", "resumed", metavar="RUN_ID", help="Finish this run of this machine.",
              shell_complete=completing.runs_here)  # fmt: skip
@click.option("--resume-last", is_flag=True, help="Finish the newest run of this machine.")
@click.option("--execution-mode", "modes", multiple=True, metavar="MODE", help="Another size or isolation (remote).",
              shell_complete=completing.execution_modes)  # fmt: skip
@click.option("--watch", is_flag=True, help="Show tasks and log lines until the run has ended (remote).")
@click.option("--wait", is_flag=True, help="Wait until the run has ended (remote).")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer (remote).")
@click.option("--idempotency-key", metavar="KEY", help="Commands with the same key start one run (remote).")
@click.option(
    "--dry-run", "is_dry_run", is_flag=True, help="Say what would be run, with which parameters, and run nothing."
)
@pass_session
def run(
    session: Session,
    target: str | None,
    params: tuple[str, ...],
    place: str | None,
    max_workers: int | None,
    no_fail_fast: bool,
    resumed: str | None,
    resume_last: bool,
    modes: tuple[str, ...],
    watch: bool,
    wait: bool,
    timeout_s: float | None,
    idempotency_key: str | None,
    is_dry_run: bool,
) -> None:
    """Run a flow on this machine (PATH:FLOW), or a deployment in its stage (a name).

    A run of this machine that failed or was interrupted can be finished with --resume: tasks that succeeded are kept,
    unless their code, or anything they got, has changed. PATH:FLOW is where it was unless given again.

    \b
    Examples:
      dagy run pipelines/etl.py:daily_etl --param date=2026-03-04 --max-workers 4
      dagy run my-etl --param env=prod --watch
      dagy run my-etl --wait --timeout 600 --json
      dagy run --resume daily_etl-20260304
    """
    texts = pairs("param", params)
    remote_only = {"--execution-mode": modes, "--watch": watch, "--wait": wait, "--timeout": timeout_s is not None,
                   "--idempotency-key": idempotency_key}  # fmt: skip
    if resumed is not None or resume_last:
        _refuse(
            {"--param": texts, "--remote": place == "remote", "--dry-run": is_dry_run, **remote_only},
            "cannot be given to a run that is resumed: it goes on here, with its own parameters.",
        )
        if resumed is not None and resume_last:
            raise click.UsageError("Give --resume with a run id, or --resume-last.")
        fail_fast = False if no_fail_fast else None
        _resume_here(session, resumed, target, max_workers=max_workers, fail_fast=fail_fast)
        return
    if target is None:
        raise click.UsageError("Missing argument 'PATH:FLOW | DEPLOYMENT'.")
    if place == "remote" or (place is None and not is_flow_target(target)):
        with _told_what_was_meant(target):
            if is_dry_run:
                would_run_remotely(session, target, texts, modes)
                return
            run_remotely(
                session,
                target,
                texts,
                request={
                    "execution_mode": list(modes) or None,
                    "fail_fast": not no_fail_fast,
                    "max_workers": max_workers or 1,
                },
                waiting=Waiting(is_watched=watch, is_waited_for=wait or timeout_s is not None, timeout_s=timeout_s),
                idempotency_key=idempotency_key,
            )
        return
    _refuse(remote_only, f"is for remote runs; {target!r} runs on this machine.")
    if is_dry_run:
        _would_run_here(session, target, texts)
        return
    _run_here(session, target, texts, max_workers=max_workers or 1, fail_fast=not no_fail_fast)


@contextmanager
def _told_what_was_meant(target: str) -> Iterator[None]:
    """A deployment may be named like a verb of `dagy runs`; when there is none of that name, the verb was meant."""
    try:
        yield
    except (APIError, InvalidInput) as error:
        if getattr(error, "status_code", 404) == 404 and _is_verb_of_runs(target):
            error.hint = f"Did you mean: dagy runs {target}?"
        raise


def _is_verb_of_runs(word: str) -> bool:
    from dagy_cli.commands.runs import runs  # only who mistyped waits for it

    return word in runs.commands or word in runs.aliases


def _refuse(options: Mapping[str, object], why: str) -> None:
    for option, given in options.items():
        if given:
            raise click.UsageError(f"{option} {why}")


def is_flow_target(target: str) -> bool:
    """Whether the target's form says that it is a flow in a file: names of deployments have neither."""
    return ":" in target or target.endswith(".py") or "/" in target


def _would_run_here(session: Session, target: str, texts: dict[str, str]) -> None:
    from dagy.artifact import load_target
    from dagy.parameters import coerce_text, describe

    with _told(session.settings):
        flow = load_target(target)
        values: dict[str, Any] = coerce_text(describe(flow.fn), texts)
        spec = flow.build(**values)
    row = {
        "flow_name": spec.name, "flow_version": spec.version, "parameters": values, "task_count": len(spec.task_runs)
    }  # fmt: skip
    session.out.dry_run(row, f"Would run {spec.name}:{spec.version} here: {count_text(len(spec.task_runs), 'task')}")


def _run_here(session: Session, target: str, texts: dict[str, str], *, max_workers: int, fail_fast: bool) -> None:
    from dagy.artifact import load_target
    from dagy.local import run_local
    from dagy.parameters import coerce_text, describe

    def start(follower: Follower) -> LocalRunContext:
        flow = load_target(target)
        follower.tally.title = flow.name
        values: dict[str, Any] = coerce_text(describe(flow.fn), texts)
        return run_local(flow, (), values, fail_fast=fail_fast, max_workers=max_workers, watcher=follower)

    _carry_out(session, start)


def _resume_here(
    session: Session, run_id: str | None, target: str | None, *, max_workers: int | None, fail_fast: bool | None
) -> None:
    """The newest run when there is no id. The flow is where it was, unless there is a target."""
    from dagy.artifact import load_target
    from dagy.local import find_resumable, resume_local

    found = find_resumable(run_id)
    if not (target or found.target):
        raise click.UsageError(f"The flow of {found.run_id} was in no file: give it as PATH:FLOW.")

    def tell(lines: Sequence[str]) -> None:
        session.out.remark(f"Resuming {found.run_id}")
        for line in lines:
            session.out.remark(f"  {line}")

    def start(follower: Follower) -> LocalRunContext:
        flow = load_target(target or found.target)
        follower.tally.title = flow.name
        return resume_local(
            flow, found.run_id, fail_fast=fail_fast, max_workers=max_workers, tell=tell, watcher=follower
        )

    _carry_out(session, start)


def _carry_out(session: Session, start: Callable[[Follower], LocalRunContext]) -> None:
    """The flow is loaded in there, too: what its module sets up for logging then goes past the live view."""
    try:
        with following(session.out, "") as follower, _told(session.settings):
            done = start(follower)
    except LocalExecutionError as error:
        error.hint = error.hint or AFTER_A_FAILURE
        raise
    session.out.item(run_row(done.run), text=f"Run completed: {done.run_id} status={done.status}")
    if done.status is not Status.SUCCEEDED:
        failed = RunFailed(done.run_id, str(done.status), done.run.message)
        failed.hint = AFTER_A_FAILURE
        raise failed


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
