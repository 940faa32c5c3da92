"""The code of a task: what counts as a change of it, and what does not."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path

import pytest

from dagy.artifact import load_target
from dagy.artifact.task_code import task_codes
from dagy.core.task_code import TaskCode, changed_code

FLOW = """\
from dagy import flow, task
from lib.helpers import helped, spare

RATE = 2
OTHER = 3

class Rate:
    value = RATE

def inner(x: "Rate"):
    return helped(x)

@task(retries=1)
def watched(x):
    '''Told.'''
    import lib.late
    return inner(x)

@task
def beside(x):
    return OTHER

@flow
def both(x: int = 1):
    return watched(x), beside(x)
"""
FILES = {
    "flow.py": FLOW,
    "lib/__init__.py": "",
    "lib/helpers.py": "from lib import deep\n\ndef helped(x):\n    return deep.VALUE\n\ndef spare():\n    pass\n",
    "lib/deep.py": "VALUE = 1\n",
    "lib/late.py": "",
    "lib/unused.py": "",
}


def code_in(folder: Path, files: dict[str, str], task: str = "watched") -> TaskCode:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    traced = load_target(f"{folder / 'flow.py'}:both").trace()
    return task_codes(call.task for call in traced.calls.values())[task]


def changed(tmp_path: Path, file: str, old: str, new: str) -> str | None:
    assert old in FILES[file]
    before = code_in(tmp_path / "before", FILES)
    after = code_in(tmp_path / "after", {**FILES, file: FILES[file].replace(old, new)})
    return changed_code(before, after)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        pytest.param("flow.py", "return inner(x)", "return inner(x) or 0", "its code changed (flow.py:13)", id="own"),
        pytest.param("flow.py", "RATE = 2", "RATE = 9", "it uses RATE in flow.py, which changed", id="constant"),
        pytest.param(
            "flow.py", "value = RATE", "value = -RATE", "it uses Rate in flow.py, which changed", id="class in quotes"
        ),
        pytest.param("flow.py", "helped(x)", "1", "it uses inner in flow.py, which changed", id="function"),
        pytest.param("lib/helpers.py", "deep.VALUE", "0", "it uses lib/helpers.py, which changed", id="module"),
        pytest.param("lib/deep.py", "1", "2", "it uses lib/deep.py, which changed", id="module of a module"),
        pytest.param("lib/late.py", "", "x = 1", "it uses lib/late.py, which changed", id="import inside the task"),
        pytest.param(
            "flow.py", "RATE = 2", "RATE = 2\nprint('hello', end='')",
            "it uses other code than before: the top level in flow.py", id="a statement that may do anything",
        ),
    ],
)  # fmt: skip
def test_a_change_of_what_a_task_uses_is_a_change_of_the_task(tmp_path: Path, file: str, old: str, new: str, told: str):
    assert changed(tmp_path, file, old, new) == told


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("flow.py", "OTHER = 3", "OTHER = 4", id="a constant of another task"),
        pytest.param("flow.py", "return OTHER", "return -OTHER", id="another task"),
        pytest.param("flow.py", "@task(retries=1)", "@task(retries=5, timeout_seconds=9)", id="its settings"),
        pytest.param("flow.py", "return inner(x)", "return inner( x )  # so", id="formatting and comments"),
        pytest.param("flow.py", "RATE = 2", "\n\nRATE = 2", id="its place"),
        pytest.param("flow.py", "helped, spare", "helped", id="an import that it does not use"),
        pytest.param("lib/unused.py", "", "x = 1", id="a module that nobody uses"),
        pytest.param("flow.py", "def both(x: int = 1)", "def both(x: int = 2)", id="the flow"),
    ],
)
def test_a_change_elsewhere_is_none(tmp_path: Path, file: str, old: str, new: str):
    assert changed(tmp_path, file, old, new) is None


def test_whether_arguments_are_converted_is_part_of_the_code(tmp_path: Path):
    assert changed(tmp_path, "flow.py", "retries=1", "validate_parameters=False") == "its code changed (flow.py:13)"


def test_a_file_that_was_edited_after_it_was_loaded_cannot_be_compared(tmp_path: Path):
    folder = tmp_path / "project"
    code_in(folder, FILES)
    flow = load_target(f"{folder / 'flow.py'}:both")
    later_s = time.time() + 5
    (folder / "lib" / "deep.py").write_text("VALUE = 2\n")
    os.utime(folder / "lib" / "deep.py", (later_s, later_s))
    codes = task_codes(call.task for call in flow.trace().calls.values())
    assert codes["watched"].unknown == "deep.py was edited after it was loaded"
    assert codes["beside"].unknown == ""


MADE = textwrap.dedent("""\
    from dagy import flow, task

    def made(n, fn):
        @task
        def watched(x):
            return n, fn
        return watched

    watched = made({n}, {fn})

    @flow
    def both():
        return watched(1)
    """)


def test_what_a_task_made_in_a_function_took_along_counts(tmp_path: Path):
    codes = [
        code_in(tmp_path / str(at), {"flow.py": MADE.format(n=n, fn="None")}) for at, n in enumerate(("1", "1", "2"))
    ]
    assert changed_code(codes[0], codes[1]) is None
    assert changed_code(codes[0], codes[2]) == "its code changed (flow.py:4)"


def test_a_task_that_took_along_what_has_no_text_cannot_be_compared(tmp_path: Path):
    code = code_in(tmp_path, {"flow.py": MADE.format(n="1", fn="print")})
    told = changed_code(code, code)
    assert told == "its code cannot be compared: it is made inside a function, with 'fn' from there"


def test_code_that_was_not_recorded_cannot_be_compared():
    assert changed_code(None, TaskCode("flow.py:1", "a")) == "its code was not recorded"
