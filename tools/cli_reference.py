"""Write docs/cli/reference.md, and what `dagy --help` prints, from the commands; a test fails when they differ.

.venv/bin/python tools/cli_reference.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from dagy_cli.environment import VARIABLES, Variable
from dagy_cli.exit_codes import MEANINGS
from dagy_cli.root import root
from dagy_cli.settings import GLOBAL_OPTIONS
from dagy_cli.tree import Node, description_of, examples_of, walk

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cli" / "reference.md"
FRONT = ROOT / "cli" / "dagy_cli" / "front_page.py"

INTRODUCTION = """# Command reference

What `dagy <command> --help` says, on one page. It is made by `tools/cli_reference.py`.

Answers go to stdout, remarks and questions to stderr. Facts come as tables for people, or as `json`, `jsonl`, `yaml`
or `csv` with the field names of [the API](../api.md); `--json` is short for `--format json`. Errors are JSON on stderr
then. Whatever destroys asks first, and where nobody can be asked it wants `--yes`; on a production profile whatever
changes the stage has the profile's name typed. Run ids may be shortened to eight characters or more.
"""


def page() -> str:
    nodes = list(walk(root))
    leaves = [node for node in nodes if node.is_leaf]
    parts = [
        INTRODUCTION,
        "## Commands\n",
        _table((_linked(node), node.command.get_short_help_str(200)) for node in leaves),
        "## Global options\n\nEvery command takes these, before it or after it.\n",
        _table(_records(GLOBAL_OPTIONS, nodes[0].ctx)),
        "## Exit codes\n",
        _table((str(int(code)), meaning) for code, meaning in MEANINGS.items()),
        "## Environment\n",
        _table((f"`{variable.name}`", _meaning(variable)) for variable in VARIABLES),
        *map(_section, leaves),
    ]
    return "\n".join(parts)


def front_page() -> str:
    """The module, with the help as it is on every terminal that is at least 80 wide."""
    text = click.Context(root, info_name="dagy", **{**root.context_settings, "terminal_width": 80 - 2}).get_help()
    about = (
        "What `dagy --help` prints where 80 columns are, made by tools/cli_reference.py: click takes 40 ms to say it."
    )
    return f'''"""{about}"""\n\nTEXT = """\\\n{text}\n"""\n'''


def _linked(node: Node) -> str:
    return f"[`dagy {' '.join(node.words)}`](#{'-'.join(('dagy', *node.words))})"


def _meaning(variable: Variable) -> str:
    return f"{variable.meaning} Default: {variable.default}." if variable.default else variable.meaning


def _section(node: Node) -> str:
    own = [param for param in node.command.get_params(node.ctx) if param not in GLOBAL_OPTIONS]
    options = [param for param in own if isinstance(param, click.Option) and "--help" not in param.opts]
    usage = " ".join(node.command.collect_usage_pieces(node.ctx)).replace("[OPTIONS]", "[options]").strip()
    lines = [f"## `dagy {' '.join(node.words)}`\n", f"{description_of(node.command)}\n"]
    lines.append(f"```\ndagy {' '.join(node.words)} {usage}\n```\n")
    if options:
        lines.append(_table(_records(options, node.ctx)))
    if examples := examples_of(node.command):
        lines.append("```console\n" + "".join(f"$ {example}\n" for example in examples) + "```\n")
    return "\n".join(lines)


def _records(options: Iterable[click.Parameter], ctx: click.Context) -> Iterable[tuple[str, str]]:
    for option in options:
        record = option.get_help_record(ctx)
        if record is not None:
            yield f"`{record[0]}`", record[1].replace("  [", " [")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return "| | |\n|---|---|\n" + "".join(f"| {row} |\n" for row in cells)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    FRONT.write_text(front_page(), encoding="utf-8")
