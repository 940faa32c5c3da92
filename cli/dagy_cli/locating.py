"""Which run is meant: an id, the beginning of one, or the newest; here first, then in the stage."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import click

from dagy.core.errors import NotFound
from dagy_cli import completing
from dagy_cli.local_runs import local_runs
from dagy_cli.run_sources import RemoteRuns, Runs, not_found
from dagy_cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Located:
    """One run, and the place it is in."""

    runs: Runs
    run_id: str


def place_options(*, local: str, remote: str) -> Callable[[F], F]:
    """`--local` and `--remote`, with these helps, as `place`: None when neither is given. Both are a usage error."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def placed(*args: Any, is_local: bool, is_remote: bool, **kwargs: Any) -> Any:
            if is_local and is_remote:
                raise click.UsageError("--local and --remote exclude each other.")
            return command(*args, place="local" if is_local else "remote" if is_remote else None, **kwargs)

        with_remote = click.option("--remote", "is_remote", is_flag=True, help=remote)(placed)
        return cast(F, click.option("--local", "is_local", is_flag=True, help=local)(with_remote))

    return decorate


where_options = place_options(local="On this machine.", remote="In the stage of the profile.")


def run_options(command: F) -> F:
    """The argument `run_id`, `--last`, and where to look."""
    return _run_options(command, complete=completing.runs_here)


def remote_run_options(command: F) -> F:
    """The same, for what only runs of a stage are good for."""
    return _run_options(command, complete=completing.runs_there)


def _run_options(command: F, *, complete: completing.Complete) -> F:
    command = click.option("--last", is_flag=True, help="The newest run.")(where_options(command))
    return click.argument("run_id", required=False, shell_complete=complete)(command)


def locate(session: Session, run_id: str | None, *, last: bool, place: str | None) -> Located:
    """Look here first, then in the stage when one is configured. The newest run is the newest here, unless `--remote`.

    Raises: UsageError for neither an id nor `--last`, or both; NotFound; InvalidInput for an ambiguous prefix.
    """
    if (run_id is None) == (not last):
        raise click.UsageError("Give a run id, its first 8 characters or more, or --last.")
    for runs in _places(session, place):
        found = runs.latest() if run_id is None else runs.find(run_id)
        if found is not None:
            return Located(runs, found)
    raise not_found(run_id or "none has been started yet")


def locate_remote(session: Session, run_id: str | None, *, last: bool, place: str | None, instead: str) -> Located:
    """As `locate`, but in the stage unless `--local`. Raises also: NotFound for a run of this machine, with what to do
    `instead`.
    """
    located = locate(session, run_id, last=last, place=place or "remote")
    if not located.runs.is_remote:
        raise NotFound("remote run", located.run_id, f"It is a run of this machine; {instead}")
    return located


def _places(session: Session, place: str | None) -> Iterator[Runs]:
    if place != "remote":
        yield local_runs()
    if place == "remote":
        yield RemoteRuns(session.client)
    elif place is None and (client := session.client_or_none) is not None:
        yield RemoteRuns(client)
