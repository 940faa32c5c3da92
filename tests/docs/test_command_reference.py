"""The reference of the command line is made from the commands, and every command says enough of itself to make it."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dagy_cli.environment import VARIABLES
from dagy_cli.front_page import TEXT
from dagy_cli.root import root
from dagy_cli.tree import Node, dagy_arguments, description_of, examples_of, parse, walk

ROOT = Path(__file__).parents[2]
NODES = list(walk(root))
LEAVES = [node for node in NODES if node.is_leaf]


def by_words(node: Node) -> str:
    return " ".join(node.words)


def test_the_reference_and_the_front_page_are_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))

    for file, what in {"docs/cli/reference.md": "page", "cli/dagy_cli/front_page.py": "front_page"}.items():
        assert (ROOT / file).read_text(encoding="utf-8") == made[what](), "run: python tools/cli_reference.py"


@pytest.mark.parametrize("width", [80, 81, 100, 110, 400])
def test_the_front_page_is_what_click_would_print_wherever_it_fits(width: int) -> None:
    with click.Context(root, info_name="dagy", **root.context_settings) as ctx:
        ctx.terminal_width = min(width, ctx.max_content_width or 80) - 2  # as click does with that of a terminal
        assert ctx.get_help() + "\n" == TEXT


@pytest.mark.parametrize("node", NODES, ids=by_words)
def test_a_command_has_a_line_that_says_what_it_is_for(node: Node) -> None:
    summary = node.command.get_short_help_str(200)

    assert summary.endswith("."), summary
    assert len(summary) <= 90, summary


@pytest.mark.parametrize("node", LEAVES, ids=by_words)
def test_a_command_says_what_it_does_and_does_not_do_and_shows_how(node: Node) -> None:
    description = description_of(node.command)

    assert len(re.findall(r"[.:;](?:\s|$)", description)) >= 2, f"more than one sentence, please: {description}"
    assert examples_of(node.command), "an example under `\\b` and `Examples:`, please"
    assert all(f"dagy {' '.join(node.words)}" in example for example in examples_of(node.command))


@pytest.mark.parametrize("node", NODES, ids=by_words)
def test_every_option_and_argument_is_explained(node: Node) -> None:
    for param in node.command.get_params(node.ctx):
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.help.rstrip("] ").endswith((".", "…")) or "[default" in param.help, param.help


@pytest.mark.parametrize("node", LEAVES, ids=by_words)
def test_the_examples_of_a_command_are_understood_by_it(node: Node) -> None:
    for example in examples_of(node.command):
        for arguments in dagy_arguments(example):
            parse(root, arguments)  # raises what the command line would say
        assert parse(root, dagy_arguments(example)[0]).command.name == node.command.name


def shown_in(page: Path) -> Iterator[str]:
    for block in re.findall(r"^```(?:console|bash|sh)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line.removeprefix("$ ")


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_shown_in_the_documentation_exist(page: Path) -> None:
    for line in shown_in(page):
        if "<" in line:
            line = re.sub(r"<[^>]+>", "placeholder", line)
        for arguments in dagy_arguments(line):
            try:
                parse(root, arguments)
            except click.UsageError as error:
                raise AssertionError(f"{page.name}: $ {line}\n{error.format_message()}") from error


def test_every_variable_that_is_read_is_documented() -> None:
    """`sdk` and `cli` only: what functions of a stage are given is no setting of users."""
    read = {
        name
        for folder in ("sdk", "cli")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r'environ(?:\.get\(|\[)"((?:DAGY|AWS)_[A-Z_]+)"', file.read_text(encoding="utf-8"))
    }

    assert read - {variable.name for variable in VARIABLES} <= {"AWS_DEFAULT_REGION"}
