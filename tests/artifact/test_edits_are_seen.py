"""What is run is what the files say now, however quickly they were edited."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]

FLOW = {
    "flow.py": """
        from dagy import flow, task
        from parts.numbers_of_mine import NUMBER

        HERE = 1

        @task
        def tell() -> str:
            return f"{HERE} {NUMBER}"

        @flow
        def telling():
            return tell()
        """,
    "parts/__init__.py": "",
    "parts/numbers_of_mine.py": "NUMBER = 1\n",
}
RUN = "from dagy.artifact import load_target; print(load_target('flow.py').run_local().result)"


def told(folder: Path) -> str:
    """By a process of its own, which keeps bytecode."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["DAGY_LOCAL_DIR"] = str(folder.parent / "home")
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name, then", [("flow.py", "2 1"), ("parts/numbers_of_mine.py", "1 2")])
def test_an_edit_in_the_second_of_a_run_that_keeps_the_size_is_run(write: Write, name: str, then: str) -> None:
    folder = write(FLOW)
    this_second = int(time.time()) + 3600  # it lasts as long as the test
    os.utime(folder / name, (this_second, this_second))
    assert told(folder) == "1 1"

    (folder / name).write_text((folder / name).read_text().replace(" = 1\n", " = 2\n"))
    os.utime(folder / name, (this_second, this_second))

    assert told(folder) == then


def test_bytecode_of_files_that_rest_is_kept(write: Write) -> None:
    folder = write(FLOW)
    for path in folder.rglob("*.py"):
        os.utime(path, (1_772_625_600, 1_772_625_600))

    assert told(folder) == "1 1"

    assert {path.name.partition(".")[0] for path in folder.rglob("*.pyc")} == {"flow", "__init__", "numbers_of_mine"}
