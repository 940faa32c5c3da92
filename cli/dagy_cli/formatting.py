"""What is written where and how, for `dagy help formatting`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Final

import click


@dataclass(frozen=True, slots=True)
class Rule:
    subject: str
    rule: str


FORMATTING: Final = (
    Rule(
        "Formats",
        "--format table is for people and may change. json, jsonl, yaml and csv are contracts: their fields are those "
        "of the API, and --json is short for --format json. Tables look as the profile's table_format says: any format "
        "of tabulate, heavy_grid by default; on a terminal the longest cells are cut with … to fit it, the first of a "
        "row never. CSV cells that a spreadsheet would execute get an apostrophe in front.",
    ),
    Rule(
        "Errors",
        "Errors go to stderr: a line that says what is wrong, and one that says what to do. With json, jsonl, yaml or "
        'csv they are one line of JSON: {"error": {"code", "message", "hint"}}. What exit codes say: '
        "dagy help exit-codes.",
    ),
    Rule(
        "Terminals",
        "On a terminal, a run that is started here or watched is redrawn in place while its printed lines scroll by. "
        "Elsewhere, and with TERM=dumb, each change of a task is a line on stderr; of a run of more than 100 tasks, "
        "only failures and a count now and then. --quiet leaves all of it out, --verbose says more.",
    ),
    Rule(
        "Colours",
        "The first of these that says something decides: --no-color or NO_COLOR (none), CLICOLOR_FORCE (everywhere), "
        "CLICOLOR=0 or TERM=dumb (none), whether it is a terminal. No colour carries a meaning of its own.",
    ),
    Rule(
        "Questions",
        "Questions are asked on a terminal only. Elsewhere a command that has to ask refuses, and names the option "
        "that answers: mostly --yes.",
    ),
)


def indented(text: str) -> str:
    """As a paragraph below its title."""
    width = min(shutil.get_terminal_size().columns, 100)
    return click.wrap_text(text, width, initial_indent="  ", subsequent_indent="  ", preserve_paragraphs=False)
