"""Two pages say which test proves what of the plans that the command line was built by. What they say is true."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import click
import pytest

from dagy_cli.root import root
from dagy_cli.tree import dagy_arguments, parse

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "docs" / "cli" / "refactoring-plan.md"
DAGNATS = ROOT / "docs" / "cli" / "from-dagnats.md"
ITEMS = [f"1.{number}" for number in range(1, 16)]
DAGNATS_COMMANDS = """
    workflow list, workflow register, workflow show, workflow validate, run start, run status, run inspect, run cancel,
    run cancel-all, run bulk, run retry, run retry-all, run signal, run list, run events, run watch, run output,
    trigger create, trigger list, trigger update, trigger delete, trigger enable, trigger history, trigger test,
    dlq list, workers list, serve, init, init workflow, config show, status, logs, dev, clean
"""


def rows_of(page: Path) -> list[list[str]]:
    lines = (line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def named_tests(page: Path) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py::test_\w+)`", page.read_text(encoding="utf-8"))


@lru_cache
def those_of(file: str) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / file).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", [PLAN, DAGNATS], ids=lambda page: page.name)
def test_every_test_named_exists(page: Path) -> None:
    missing = [node for node in named_tests(page) if node.split("::")[1] not in those_of(node.split("::")[0])]

    assert missing == []


def test_every_item_of_the_plan_has_a_test() -> None:
    rows = {row[0].split()[0]: row for row in rows_of(PLAN) if row[0][:2] == "1."}

    assert list(rows) == ITEMS
    assert [item for item, row in rows.items() if "::test_" not in row[2]] == []
    inconsistencies = PLAN.read_text("utf-8").partition("## Inconsistencies")[2].partition("## Phases")[0]
    assert inconsistencies.count("\n| ") == 1 + 8
    phases = PLAN.read_text("utf-8").partition("## Phases")[2].partition("## Testing")[0]
    assert {item for item in ITEMS if re.search(rf"{re.escape(item)}\b", phases)} == set(ITEMS)


def test_every_command_of_dagnats_has_a_row_with_a_test_or_comes_later_or_never() -> None:
    page = DAGNATS.read_text("utf-8")

    assert [name for name in re.split(r",\s*", DAGNATS_COMMANDS.strip()) if f"| `{name}" not in page] == []
    without = [row[0] for row in rows_of(DAGNATS)[1:] if "::test_" not in row[-1]]
    assert [row[0] for row in rows_of(DAGNATS) if row[0] in without and not re.search("later|nothing:", row[1])] == []


def test_the_commands_that_stand_for_those_of_dagnats_are_understood() -> None:
    for row in rows_of(DAGNATS)[1:]:
        for command in re.findall(r"`(dagy [^`]+)`", row[1]):
            line = re.sub(r"<[^>]+>(\[[^\]]*\])?(:<[^>]+>)?| \[inputs\]|…", "x.py:f", command)
            with suppress(click.MissingParameter):  # what is shown may leave out what a row above it shows
                parse(root, [word for word in dagy_arguments(line)[0] if word != "--from-file"])


def test_imports_are_in_one_order_everywhere() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select", "I", "--output-format", "concise", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_coverage_floor_is_90_and_enforced() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    floor = re.search(r"^fail_under = (\d+)", settings, re.MULTILINE)
    assert floor
    assert int(floor[1]) >= 90
    assert "coverage report" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "export DAGY_COVERAGE=1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
