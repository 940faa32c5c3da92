"""Tables on a terminal: no wider than it, states in colour, and what names a row never cut."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from tabulate import tabulate

from dagy.config import write_profile
from dagy_cli.front_page import TEXT
from dagy_cli.tables import fitted

DAGY = Path(sys.executable).parent / "dagy"
LONG = [["etl-20260304T120000Z-a1b2c3d4", "s3://a-bucket/dagy/flows/etl/latest/artifact.zip", "ACTIVE"]]
HEADERS = ["run_id", "artifact_s3_uri", "status"]


def on_a_terminal(*words: str, columns: int) -> list[str]:
    """What a person sees who types it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [DAGY, *words], stdin=slave, stdout=slave, stderr=slave, env={**environ, "TERM": "xterm"}
    )
    os.close(slave)
    seen = b""
    try:
        while piece := os.read(master, 65536):
            seen += piece
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(master)
        process.wait(60)
    return seen.decode().replace("\r\n", "\n").splitlines()


def drawn(cells: list[list[str]]) -> str:
    return tabulate(cells, headers=HEADERS, tablefmt="heavy_grid")


@pytest.mark.parametrize("width", [120, 90, 80, 72])
def test_a_table_is_as_wide_as_the_terminal_at_most_and_what_names_a_row_is_whole(width: int) -> None:
    cells = fitted(LONG, HEADERS, width, drawn)

    assert max(map(len, drawn(cells).splitlines())) <= width
    assert cells[0][0] == LONG[0][0]
    assert (cells == LONG) is (width == 120)
    assert cells[0][1].endswith("…") is (width < 120)


@pytest.mark.parametrize("width", [1, 40, 50])
def test_where_cutting_does_not_help_nothing_is_cut(width: int) -> None:
    assert fitted(LONG, HEADERS, width, drawn) == LONG


def test_nothing_is_cut_of_a_table_without_rows() -> None:
    assert fitted([], HEADERS, 10, drawn) == []


def test_a_list_fits_its_terminal_and_goes_whole_into_a_pipe(dagy: Any) -> None:
    url = "https://an-api-with-a-long-name.execute-api.eu-central-1.amazonaws.com"
    for name in ("dev", "prod"):
        write_profile(name, api_url=url, stage=name, region="eu-central-1", table_format="heavy_grid")

    seen = on_a_terminal("config", "list", columns=90)

    assert {len(line) for line in seen} == {90}
    assert not any(url in line for line in seen)
    assert url in dagy("config", "list").stdout


def test_states_are_coloured_on_a_terminal_only(dagy: Any, project: Any) -> None:
    dagy("run", f"{project()}:etl")

    (line,) = [line for line in on_a_terminal("runs", "list", columns=120) if "SUCCEEDED" in line]

    assert "\x1b[32mSUCCEEDED\x1b[0m" in line
    assert "\x1b" not in "".join(on_a_terminal("runs", "list", "--no-color", columns=120))
    assert "\x1b" not in dagy("runs", "list").stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_help_fits_a_terminal_of_any_width(home: Path, columns: int) -> None:
    seen = on_a_terminal("--help", columns=columns)

    assert (seen == TEXT.splitlines()) is (columns >= 80)
    assert re.search(r"init +Start a project", "\n".join(seen))
    assert columns < 80 or max(map(len, seen)) <= columns
