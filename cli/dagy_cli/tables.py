"""Tables for people: drawn as the profile says, states in colour, and no wider than the terminal they are shown on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from dagy.core.states import Status
from dagy_cli.output import cell_text
from dagy_cli.tally import COLORS

NARROWEST: Final = 10  # cells are not cut to less
MARKUP: Final = ("html", "unsafehtml", "latex", "tsv")  # how formats begin that are no pictures
Grid = list[list[str]]


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], table_format: str) -> str:
    """`click.echo` leaves the colours out where they do not belong."""
    import tabulate  # a lazy door: 50 ms

    tabulate.MIN_PADDING = 0  # two more to each header otherwise

    def draw(cells: Grid, paint: Callable[[str, str], str] = _plain) -> str:
        painted = [list(map(paint, columns, row)) for row in cells]
        return tabulate.tabulate(painted, headers=list(columns), tablefmt=table_format, disable_numparse=True)

    cells = [[_cell(column, row.get(column)) for column in columns] for row in rows]
    if sys.stdout.isatty() and not table_format.startswith(MARKUP):
        cells = fitted(cells, columns, shutil.get_terminal_size().columns, draw)
    return draw(cells, _painted)


def fitted(cells: Grid, headers: Sequence[str], width: int, draw: Callable[[Grid], str]) -> Grid:
    """The cells, the longest cut so that the table is as wide as the terminal. The first column is left alone, because
    what it names is what the next command is about. Where cutting does not help, nothing is cut.
    """
    too_much = max(map(len, draw(cells).splitlines()), default=0) - width
    if too_much <= 0 or not cells:
        return cells
    wanted = [max(len(row[at]) for row in [list(headers), *cells]) for at in range(len(headers))]
    least = [max(NARROWEST, len(header)) for header in headers]
    widths = list(wanted)
    for _ in range(too_much):
        widest = max(range(1, len(widths)), key=lambda at: widths[at] - least[at], default=0)
        if not widest or widths[widest] <= least[widest]:
            return cells
        widths[widest] -= 1
    return [
        [row[0], *(_cut(cell, at_most) for cell, at_most in zip(row[1:], widths[1:], strict=True))] for row in cells
    ]


def _cell(column: str, value: Any) -> str:
    """Seconds to three digits, none beyond a millisecond; MiB to a tenth. The names of columns end in their units."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return cell_text(value)
    if column.endswith("_s"):
        return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"
    if column.endswith("_mib"):
        return f"{value:.1f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else cell_text(value)


def _cut(text: str, at_most: int) -> str:
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _plain(_: str, text: str) -> str:
    return text


def _painted(column: str, text: str) -> str:
    color = COLORS.get(Status(text)) if column == "status" and text in Status._value2member_map_ else None
    return click.style(text, fg=color) if color else text
