"""What a command is given: where to write, which profile it works with, and the way to that profile's API."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from dagy_cli.changing import Consent
from dagy_cli.output import DEFAULT_TABLE_FORMAT, Output
from dagy_cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.config import Profile

P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """One invocation of the command line. Nothing is read or imported before it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = Output(settings, table_format=self._table_format)

    @functools.cached_property
    def profile(self) -> Profile:
        """The profile in force, by the precedence of the documentation.

        Raises: NotFound for a name that was asked for and does not exist; InvalidInput for a file that cannot be read.
        """
        from dagy.config import resolve_profile  # a lazy door: not every command needs the file

        return resolve_profile(self.settings.profile)

    @functools.cached_property
    def client(self) -> DagyClient:
        """The API of the profile in force. Raises: InvalidInput when there is none, and what `profile` raises."""
        from dagy.client.http import connect  # a lazy door: so are the client's models

        return connect(self.profile)

    @property
    def client_or_none(self) -> DagyClient | None:
        """As `client`, but None when no API is configured: then everything is local."""
        from dagy.config import resolve_api_url  # a lazy door: see `profile`

        return self.client if resolve_api_url(self.profile) else None

    @property
    def production(self) -> str | None:
        """The name that has to be typed before the stage of the profile in force is changed; None: none has to."""
        return self.profile.name if self.profile.is_production else None

    def confirm(self, question: str, *, is_yes: bool) -> None:
        """Ask before something on this machine is destroyed. Raises: what `Consent.ask` raises."""
        Consent(is_given=is_yes).ask(question.removesuffix("?"), destroys=True)

    def _table_format(self) -> str:
        """A configuration that cannot be read must not hide facts that have nothing to do with it."""
        from dagy.core.errors import DagyError

        try:
            return self.profile.table_format
        except DagyError as error:
            self.out.detail(f"{error}; using {DEFAULT_TABLE_FORMAT}")
            return DEFAULT_TABLE_FORMAT


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give the command its `Session` as first argument."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(Session(settings_of(click.get_current_context())), *args, **kwargs)

    return wrapper
