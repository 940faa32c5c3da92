"""The tree of commands, walked: for the reference that is made from it, and for tests that hold for every command."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Node:
    """A command and the words that lead to it, `dagy` left out."""

    words: tuple[str, ...]
    command: click.Command
    ctx: click.Context

    @property
    def is_leaf(self) -> bool:
        """Whether it does something itself: a noun that only has verbs does not."""
        return not isinstance(self.command, click.Group) or not getattr(self.command, "helps_alone", True)


def walk(root: click.Command, ctx: click.Context | None = None, words: tuple[str, ...] = ()) -> Iterator[Node]:
    """Every command below the root, nouns before their verbs, in the order of the help. Imports them all."""
    ctx = ctx or click.Context(root, info_name="dagy")
    if not isinstance(root, click.Group):
        return
    for name in root.list_commands(ctx):
        command = root.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        node = Node((*words, name), command, click.Context(command, parent=ctx, info_name=name))
        yield node
        yield from walk(command, node.ctx, node.words)


def description_of(command: click.Command) -> str:
    """Its help without the examples."""
    return _split(command)[0]


def examples_of(command: click.Command) -> list[str]:
    """The command lines under `Examples:` in its help, continued lines joined."""
    joined = _split(command)[1].replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def parse(root: click.Command, arguments: list[str]) -> click.Context:
    """The context of the command that a line means, its arguments parsed and nothing carried out.

    Raises: click.UsageError, as the command line would.
    """
    ctx = root.make_context("dagy", list(arguments))
    while isinstance(ctx.command, click.Group):
        rest = [*getattr(ctx, "_protected_args", ()), *ctx.args]
        if not rest:
            return ctx
        name, command, rest = ctx.command.resolve_command(ctx, rest)
        if command is None:
            return ctx
        ctx = command.make_context(name, rest, parent=ctx)
    return ctx


def dagy_arguments(line: str) -> list[list[str]]:
    """The arguments of every `dagy` in a line of shell: alone, after variables, in a pipe or in `$(...)`."""
    inside = re.sub(r'"\$\(([^"]*)\)"', r"\1", line)
    lexer = shlex.shlex(inside, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    found: list[list[str]] = []
    is_open = False
    for word in lexer:
        if set(word) <= set("|&;()<>"):
            is_open = False
        elif is_open:
            found[-1].append(word)
        elif word == "dagy":
            is_open = True
            found.append([])
    return found


def _split(command: click.Command) -> tuple[str, str]:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    description, _, examples = text.partition("Examples:\n")
    return description.strip(), examples
