"""Commands that change something: `--dry-run` and `--yes`, and who is asked what before anything happens.

What destroys is asked about. On a profile that is production, whatever changes the stage wants the profile's name
typed; starting runs changes nothing and asks nothing. Where there is nobody to ask, `--yes` has to be given.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from dagy.config import Profile

F = TypeVar("F", bound=Callable[..., Any])


class Declined(click.ClickException):
    """The answer was no, so nothing was done."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What `--dry-run` and `--yes` said."""

    is_dry_run: bool = False
    is_given: bool = False

    def ask(self, deed: str, *, destroys: bool = False, production: str | None = None) -> None:
        """Return when `deed`, such as `Delete the deployment etl`, may be done. `production` is the name that has to be
        typed, None where nothing is production.

        Raises: Declined; click.Abort at the end of the input; UsageError when there is nobody to ask.
        """
        if self.is_given or not (destroys or production):
            return
        question = f"{deed}?" if production is None else f"{deed}? Profile {production} is production."
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} There is no terminal to ask on: add --yes.")
        if production is None:
            if not click.confirm(question, err=True):
                raise Declined("The answer was no: nothing was done")
            return
        typed = click.prompt(f"{question} Type its name to go on", err=True, type=str)
        if typed.strip() != production:
            raise Declined(f"{typed.strip()!r} is not {production!r}: nothing was done")


def change_options(command: F) -> F:
    """`--dry-run` and `--yes`, as `consent`."""

    @functools.wraps(command)
    def consenting(*args: Any, is_dry_run: bool, is_yes: bool, **kwargs: Any) -> Any:
        return command(*args, consent=Consent(is_dry_run, is_yes), **kwargs)

    with_yes = click.option("--yes", "-y", "is_yes", is_flag=True, help="Do not ask.")(consenting)
    dry_run = click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be done and do nothing.")
    return cast(F, dry_run(with_yes))


def production_of(profile: Profile, stage: str) -> str | None:
    """What has to be typed before `stage` is changed by a command that need not have a profile of it: the name of the
    profile when it is the stage's, else the stage's own; None when nothing has to.
    """
    from dagy.config import Profile  # a lazy door: only such commands need the file

    known = profile if profile.stage == stage else Profile(name=stage, stage=stage)
    return known.name if known.is_production else None
