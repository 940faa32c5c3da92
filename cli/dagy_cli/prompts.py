"""Questions on the terminal: each is asked a few times at most, and none when nobody can answer any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import click

from dagy.core.errors import DagyError, InvalidInput

T = TypeVar("T")
TRIES: Final = 3
MOST_LINES: Final = 12  # of a menu
WIDTH: Final = 76
_SCRIPTS: Final = "For scripts there are commands that take it all at once: dagy config --help"


class NoAnswer(InvalidInput):
    """The question got no usable answer, and is not asked again."""

    code = "no_answer"


def ask(question: str, check: Callable[[str], T], *, default: str = "", about: str = "") -> T:
    """What is typed, as `check` returns it; `default` stands for an empty line. `about` says more than `question`.

    Raises: NoAnswer when `check` has refused the last try, or input has ended; click.Abort for Ctrl+C.
    """
    for _ in range(TRIES):
        try:
            return check(_line(f"{question} [{default}]" if default else question) or default)
        except NoAnswer:
            raise
        except DagyError as error:
            click.echo(f"{error}. {error.hint or ''}".rstrip(), err=True)
    raise NoAnswer(f"No usable answer to '{about or question}' after {TRIES} tries; nothing was written.", _SCRIPTS)


def choose(title: str, options: Sequence[str], *, marked: str) -> int | None:
    """The index of the option whose number, first word or whole text is typed; None for `marked`, which an empty line
    means.

    Raises: what `ask` raises.
    """
    click.echo(f"{title}:")
    click.echo(f"> {marked}")
    for line in _columns([f"{number:>{len(str(len(options)))}}) {option}" for number, option in enumerate(options, 1)]):
        click.echo(f"  {line}")
    named: dict[str, int] = {}
    for fold in (str, str.casefold):  # what is written exactly so goes first
        for index, option in enumerate(options):
            for name in (option.split(" ", 1)[0], option):
                named.setdefault(fold(name), index)

    def check(text: str) -> int | None:
        if text.casefold() == marked.casefold():
            return None
        if text.isdecimal() and 1 <= int(text) <= len(options):
            return int(text) - 1
        found = named.get(text, named.get(text.casefold()))
        if found is None:
            raise InvalidInput(f"Not one of them: {text!r}", f"Type a number from 1 to {len(options)}, or a name.")
        return found

    return ask("Number or name", check, default=marked, about=title)


def agree(question: str) -> bool:
    """Whether the answer is yes; an empty line is no. Raises: what `ask` raises."""

    def check(text: str) -> bool:
        if text.lower() not in ("", "y", "yes", "n", "no"):
            raise InvalidInput(f"Neither yes nor no: {text!r}", "Type y or n.")
        return text.lower().startswith("y")

    return ask(f"{question} [y/N]", check)


def _columns(entries: Sequence[str]) -> Iterator[str]:
    """A line each, or, when there are many, side by side, read downwards."""
    count = 1 if len(entries) <= MOST_LINES else max(1, WIDTH // (max(map(len, entries)) + 2))
    height = -(-len(entries) // count)
    widths = [max(map(len, entries[at : at + height])) for at in range(0, len(entries), height)]
    for line in range(height):
        yield "  ".join(
            f"{entry:<{width}}" for entry, width in zip(entries[line::height], widths, strict=False)
        ).rstrip()


def _line(question: str) -> str:
    """One line. click would ask again and again for an answer that is not empty, so it is told that empty is one."""
    try:
        return str(click.prompt(question, default="", show_default=False, type=str)).strip()
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):  # click makes the same of it as of Ctrl+C
            click.echo()
            raise NoAnswer(f"Nobody answers '{question}'; nothing was written.", _SCRIPTS) from None
        raise
