"""The types that authors see, by mypy: what is right passes, and what is wrong is an error of the kind expected.

pyright agrees, to the last ignore. To ask it: `pip install pyright`, which fetches itself with npm, and
`pyright tests/typing_checks` with `reportUnnecessaryTypeIgnoreComment`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHECKED = sorted(HERE.glob("typed_*.py"))


def mypy(*files: Path) -> str:
    """What it says, without its summary. Empty when all is well."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--strict", *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_decorated_functions_keep_their_types() -> None:
    assert len(CHECKED) == 4
    assert mypy(*CHECKED) == ""


@pytest.mark.parametrize(
    "call, error",
    [
        pytest.param('double("1")', "[arg-type]", id="of a wrong type"),
        pytest.param("double(1).upper()", "[attr-defined]", id="taken for something else"),
        pytest.param("twice(n=1, m=2)", "[call-arg]", id="with too much"),
    ],
)
def test_a_wrong_call_is_an_error_where_it_is_written(tmp_path: Path, call: str, error: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from dagy import flow, task\n"
        "@task\n"
        "def double(x: int) -> int:\n    return 2 * x\n"
        "@flow\n"
        "def twice(n: int) -> int:\n    return double(double(n))\n"
        f"{call}\n"
    )
    told = mypy(script).splitlines()
    assert len(told) >= 1
    assert f"{script.name}:8: error:" in told[0]
    assert told[0].endswith(error)
