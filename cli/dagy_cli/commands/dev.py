"""`dagy dev`: a flow that runs again whenever a file of it changes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from dagy_cli.completing import files
from dagy_cli.output import Output
from dagy_cli.params import pairs
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command, Settings

if TYPE_CHECKING:
    from dagy_cli.child import Child
    from dagy_cli.file_watch import FlowFiles, Look


@click.command("dev", cls=Command, short_help="Run a flow here, again whenever a file of it changes.")
@click.argument("target", metavar="PATH[:FLOW]", shell_complete=files)
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the flow. Repeatable.")
@click.option("--include", multiple=True, metavar="GLOB", help="Data files to watch, as `dagy deploy` takes them.")
@click.option("--max-workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Tasks at a time.")
@click.option("--no-fail-fast", is_flag=True, help="After a failure, go on with what does not depend on it.")
@click.option("--delay", "delay_ms", type=click.IntRange(100, 60_000), metavar="MS", default=500, show_default=True,
              help="How often to look for changes, in milliseconds, 100 at least.")  # fmt: skip
@pass_session
def dev(
    session: Session,
    target: str,
    params: tuple[str, ...],
    include: tuple[str, ...],
    max_workers: int,
    no_fail_fast: bool,
    delay_ms: int,
) -> None:
    """Run a flow here, again whenever its file, a local module it imports, or an included data file changes.

    Each run is a process of its own, so that everything is imported anew. A change ends the run under way; a file that
    is no Python any more is told, and the next change waited for. Files that the flow itself writes are nothing to
    include: it would never come to rest. Ctrl+C ends it, with exit code 0, because there is no other end.

    \b
    Examples:
      dagy dev flow.py:shop --param day=2026-03-04
      dagy dev pipelines/etl.py --include 'data/*.csv' --delay 200
    """
    from dagy_cli.file_watch import FlowFiles

    pairs("param", params)
    watched = FlowFiles.of(_file_of(target), include)
    run = ["run", target, "--local", "--max-workers", str(max_workers), *_global_options(session.settings)]
    run += ["--no-fail-fast"] if no_fail_fast else []
    run += [word for param in params for word in ("--param", param)]
    with _ending_on_request():
        _run_again_and_again(session.out, watched, run, delay_s=delay_ms / 1000)
    session.out.remark("[dev] ended")


def _run_again_and_again(out: Output, watched: FlowFiles, run: Sequence[str], *, delay_s: float) -> NoReturn:
    from dagy_cli.child import Child
    from dagy_cli.file_watch import changed

    seen = watched.look()
    out.remark(f"[dev] watching {watched.names(sorted(seen))}")
    while True:
        child = Child(run)
        try:
            _until_change(out, watched, child, seen=seen, delay_s=delay_s)
            now = watched.settled()
            ending = "ending the run and " if child.wait(0) is None else ""
            out.remark(f"[dev] {watched.names(changed(seen, now)) or 'a file'} changed: {ending}running again")
        except KeyboardInterrupt:
            if child.wait(0) is None:
                out.remark("[dev] ending the run (Ctrl+C again kills it)")
            raise
        finally:
            child.end()
        seen = now


def _until_change(out: Output, watched: FlowFiles, child: Child, *, seen: Look, delay_s: float) -> None:
    """Return when a look differs from `seen`, which was taken before the child began."""
    while (code := child.wait(delay_s)) is None:
        if watched.look() != seen:
            return
    out.remark(f"[dev] {'it went well' if code == 0 else 'it failed'}; waiting for a change (Ctrl+C ends)")
    while watched.look() == seen:
        time.sleep(delay_s)


@contextmanager
def _ending_on_request() -> Iterator[None]:
    """Ctrl+C ends the block, and what asks a program to end does the same."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _file_of(target: str) -> Path:
    """Raises: InvalidInput, FlowFileNotFound."""
    from dagy.artifact.loading import split_target
    from dagy.core.errors import FlowFileNotFound

    path = split_target(target)[0]
    if not Path(path).expanduser().is_file():
        raise FlowFileNotFound(path)
    return Path(path)


def _global_options(settings: Settings) -> list[str]:
    given = {"--verbose": settings.is_verbose, "--quiet": settings.is_quiet, "--debug": settings.is_debug}
    return ["--format", settings.format.value, *(option for option, is_on in given.items() if is_on)]
