"""The options every command understands, wherever on the line they stand.

They are parameters of the root, of every group and of every command, and all write into one `Settings` value that
the contexts of one invocation share; the one given last wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import click

from dagy.version import VERSION

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Format(str, Enum):
    """How facts are written to stdout."""

    TABLE = "table"  # for people
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    CSV = "csv"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Settings:
    """What the global options said. `profile` None: nothing was said, the environment and the file decide."""

    profile: str | None = None
    format: Format = Format.TABLE
    is_verbose: bool = False
    is_quiet: bool = False
    is_debug: bool = False

    @property
    def is_machine_read(self) -> bool:
        return self.format is not Format.TABLE


_KEY: Final = "dagy.settings"
_COMMAND: Final = "dagy.command"


def settings_of(ctx: click.Context) -> Settings:
    settings = ctx.meta.get(_KEY)
    return settings if isinstance(settings, Settings) else Settings()


def usage_of(ctx: click.Context) -> str | None:
    """How the command that was carried out last is used; None when it did not come to that."""
    command = ctx.meta.get(_COMMAND)
    return command.get_usage() if isinstance(command, click.Context) else None


def _change(ctx: click.Context, **changes: Any) -> None:
    settings = replace(settings_of(ctx), **changes)
    if settings.is_verbose and settings.is_quiet:
        raise click.UsageError("--verbose and --quiet exclude each other.", ctx)
    ctx.meta[_KEY] = settings


def _set_profile(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _change(ctx, profile=value)


def _set_format(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _change(ctx, format=Format(value))


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _change(ctx, format=Format.JSON)


def _set_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _change(ctx, is_verbose=True)


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _change(ctx, is_quiet=True)


def _set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _change(ctx, is_debug=True)


def _set_color(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.color = False


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"dagy {VERSION}")
        ctx.exit()


def _complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from dagy_cli.completing import profiles  # a lazy door: it needs this module's settings

    return profiles(ctx, param, incomplete)


_COMMON: Final[dict[str, Any]] = {"expose_value": False, "is_eager": True}

GLOBAL_OPTIONS: Final[tuple[click.Option, ...]] = (
    click.Option(
        ["--profile", "-p"],
        metavar="NAME",
        help="The profile to use.",
        callback=_set_profile,
        shell_complete=_complete_profile,
        **_COMMON,
    ),
    click.Option(
        ["--format"],
        type=click.Choice([f.value for f in Format]),
        metavar="FORMAT",
        help="How facts are written: table, json, jsonl, yaml, csv.",
        callback=_set_format,
        **_COMMON,
    ),
    click.Option(["--json"], is_flag=True, help="Short for --format json.", callback=_set_json, **_COMMON),
    click.Option(["--verbose"], is_flag=True, help="Say more on stderr.", callback=_set_verbose, **_COMMON),
    click.Option(
        ["--quiet"], is_flag=True, help="No remarks, only answers and errors.", callback=_set_quiet, **_COMMON
    ),
    click.Option(["--debug"], is_flag=True, help="Show tracebacks of errors.", callback=_set_debug, **_COMMON),
    click.Option(["--no-color"], is_flag=True, help="No colour; NO_COLOR does it too.", callback=_set_color, **_COMMON),
)

VERSION_OPTION: Final = click.Option(
    ["--version"], is_flag=True, help="Print the version.", callback=_show_version, **_COMMON
)


class WithGlobalOptions(click.Command):
    """Adds the global options to a command, in a section of their own at the end of its help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[_COMMAND] = ctx
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and p not in GLOBAL_OPTIONS]
        own = [record for p in options if (record := p.get_help_record(ctx))]
        shared = [record for p in GLOBAL_OPTIONS if (record := p.get_help_record(ctx))]
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        with formatter.section("Global options"):
            formatter.write_dl(shared)


class Command(WithGlobalOptions):
    """A verb."""
