"""A group of commands that are imported only when one of them is called.

`dagy --help` shows every command but imports none of them: names and short helps stand in a table.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dagy.core.names import did_you_mean
from dagy_cli.settings import WithGlobalOptions

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not there yet. `target` is `module:attribute`; a test holds `short_help` equal to the
    command's own.
    """

    target: str
    short_help: str

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a click command")
        return command


class Group(WithGlobalOptions, click.Group):
    """A noun with its verbs. Alone, it prints its help and succeeds, unless `helps_alone` is off; a mistyped verb is
    told what was meant. `aliases` are other names of verbs, which no help shows.
    """

    def __init__(
        self, *args: Any, helps_alone: bool = True, aliases: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        self.helps_alone = helps_alone
        self.aliases = aliases or {}
        kwargs.setdefault("invoke_without_command", True)
        kwargs.setdefault("no_args_is_help", False)
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        result = super().invoke(ctx)
        if self.helps_alone and ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, self.aliases.get(name, name))
        if command is None:
            if ctx.resilient_parsing:  # shell completion: whatever is there is unfinished
                return None, None, args
            ctx.fail(f"No such command '{name}'.{did_you_mean(name, self.list_commands(ctx))}")
        return name, command, args[1:]


class LazyGroup(Group):
    """`sections` is what its help shows: titles, and under each the commands in the order given."""

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, Lazy]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.lazy = {name: lazy for section in sections.values() for name, lazy in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        lazy = self.lazy.get(cmd_name)
        return lazy.load() if lazy else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """click's own would import every command to see whether it is hidden."""
        from click.shell_completion import CompletionItem  # a lazy door: only shells ask

        found = [
            CompletionItem(name, help=lazy.short_help)
            for name, lazy in self.lazy.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.short_help) for name, lazy in section.items()])
