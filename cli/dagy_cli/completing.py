"""What the shell is offered when somebody presses Tab: quick, quiet, and when in doubt nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from dagy_cli.settings import settings_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dagy.client.http import DagyClient

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]
VARIABLE: Final = "_DAGY_COMPLETE"
MOST_RUNS: Final = 100
LONGEST_ASKED_S: Final = 1.0  # whoever presses Tab waits


def answer(instruction: str) -> int:
    """Answer the shell on stdout, as `click.shell_completion` speaks with it, and return the exit code."""
    from click.shell_completion import shell_complete  # a lazy door: every command imports this module

    from dagy_cli.root import root  # a lazy door: root needs this module's functions

    logging.disable()
    try:
        return shell_complete(root, {}, "dagy", VARIABLE, instruction)
    except (Exception, KeyboardInterrupt, SystemExit):  # an unfinished line may be any nonsense; a prompt stays clean
        return 1


def words(*choices: str) -> Complete:
    """Of a fixed choice, in whatever case it is typed."""
    return lambda ctx, param, incomplete: _offered(
        [choice for choice in choices if choice.lower().startswith(incomplete.lower())], ""
    )


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def execution_modes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from dagy.core.sizes import Isolation, Size

    return _offered([*Size, *Isolation], incomplete)


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from dagy.config import read_config  # a lazy door: YAML, for this one question

    return _offered(sorted(read_config().profiles), incomplete)


def runs_here(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Ids of this machine's runs, newest first; with `--remote`, of the stage's."""
    if ctx.params.get("is_remote"):
        return runs_there(ctx, param, incomplete)
    return _offered(islice((id for id in local_run_ids() if id.startswith(incomplete)), MOST_RUNS), incomplete)


def runs_there(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return _offered((run.run_id for run in _asked(ctx).list_runs(limit=MOST_RUNS).items), incomplete)


def deployments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return _offered((found.name for found in _asked(ctx).list_deployments().items), incomplete)


def dead_letters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return _offered((letter.id for letter in islice(_asked(ctx).iter_dead_letters(), MOST_RUNS)), incomplete.upper())


def packages(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return _offered((found.slug for found in _asked(ctx).iter_packages()), incomplete.upper())


def users(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return _offered((found.email for found in _asked(ctx).list_users().items), incomplete)


def run_targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files, and deployments when an API answers in time."""
    offered = files(ctx, param, incomplete)
    if "/" in incomplete or incomplete.startswith((".", "~")):
        return offered
    try:
        return offered + deployments(ctx, param, incomplete)
    except Exception:  # no API, no answer, no right: there are still the files
        return offered


def local_run_ids() -> list[str]:
    """Newest first, from the names of files alone: the database would take a tenth of a second to open."""
    from dagy.local.layout import LocalPaths
    from dagy.local.paths import local_dir

    paths = LocalPaths(local_dir())
    recorded = {entry.name for entry in os.scandir(paths.runs) if entry.is_dir()} if paths.runs.is_dir() else set()
    going_on = {path.stem for path in paths.journals.glob("*.jsonl")}
    return sorted(recorded | going_on, key=lambda id: id.rsplit("-", 2)[1:], reverse=True)


def _asked(ctx: click.Context) -> DagyClient:
    """The API of the profile in force, asked once and briefly."""
    from dagy.client.http import connect  # lazy doors: only those who ask the API pay for them
    from dagy.config import resolve_profile

    return connect(resolve_profile(settings_of(ctx).profile), once_within_s=LONGEST_ASKED_S)


def _offered(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
