"""The files of a new project, and of a new flow, as text. Pure."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from typing import Final

from dagy.core.errors import InvalidInput

MOST_STEPS: Final = 20
DEFAULT_STEP: Final = "process"
# Names that the files below use for something else.
_TAKEN: Final = frozenset({"Any", "clean", "dagy", "dict", "extract", "flow", "float", "list", "round", "str", "sum",
                           "summarise", "task", "test_flow"})  # fmt: skip

_FLOW: Final = '''\
"""{name}: rows are extracted, cleaned and summarised. Replace the bodies of the tasks with your work."""

from dagy import flow, task


@task(retries=2, retry_delay_seconds=5)
def extract(day: str) -> list[dict]:
    """A source that fails now and then is asked again, twice."""
    print(f"extracting {{day}}")
    return [{{"item": "tea", "amount": 3.5}}, {{"item": "cake", "amount": 4.0}}, {{"item": "lost", "amount": None}}]


@task
def clean(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["amount"] is not None]


@task(timeout_seconds=60)
def summarise(day: str, rows: list[dict]) -> dict:
    return {{"day": day, "rows": len(rows), "total": round(sum(row["amount"] for row in rows), 2)}}


{decorator}
def {function}(day: str = "2026-01-01") -> dict:
    """What is passed from task to task says in which order they run; what is not, runs side by side."""
    return summarise(day, clean(extract(day)))
'''

_TEST: Final = '''\
"""Tests of the flow, in memory: no account, no files, and no waiting for retries."""

from dagy.testing import fail_task, run_in_memory, with_result

import flow


def test_rows_without_an_amount_do_not_count():
    assert flow.clean([{{"amount": None}}, {{"amount": 1.0}}]) == [{{"amount": 1.0}}]


def test_the_amounts_of_a_day_are_summed():
    rows = [{{"amount": 1.25}}, {{"amount": None}}, {{"amount": 2.5}}]

    run = run_in_memory(flow.{function}, day="2026-03-04", given=[with_result("extract", rows)])

    assert run.result == {{"day": "2026-03-04", "rows": 2, "total": 3.75}}


def test_a_source_that_fails_once_is_asked_again():
    run = run_in_memory(flow.{function}, given=[fail_task("extract", times=1)])

    run.assert_succeeded()
    assert run.task("extract").attempts == 2
'''

_README: Final = """\
# {name}

A Dagy project: the flow `{flow_name}` in `flow.py`, and its tests.

```console
$ pip install -r requirements.txt
$ pytest                                              # in memory, in no time
$ dagy run flow.py:{function} --param day=2026-03-04  # on this machine
$ dagy dev flow.py:{function}                         # again, whenever a file changes
```

With a stage (`dagy infra deploy` makes one in your AWS account, `dagy local start` one on this machine):

```console
$ dagy deploy flow.py:{function} --schedule "0 7 * * *" --timezone Europe/Athens
$ dagy run {flow_name} --param day=2026-03-04 --watch
$ dagy logs --remote --last
```

What `flow.py` imports from this folder travels with it; data files do when they are named: `--include 'data/*.csv'`.
"""

_GITIGNORE: Final = """\
__pycache__/
.pytest_cache/
.venv/
dist/
"""

_REQUIREMENTS: Final = """\
dagy
pytest
"""

_STEPS: Final = '''\
"""{name}: {told}.

Run it here:    dagy run {file}:{function}
Look at it:     dagy flows validate {file}:{function}
Deploy it:      dagy deploy {file}:{function}
"""

from typing import Any

from dagy import flow, task

{tasks}

{decorator}
def {function}() -> Any:
{calls}
'''


def project_files(name: str) -> dict[str, str]:
    """By their paths inside the project. Raises: InvalidInput for a name that cannot be."""
    function = identifier("project", name)
    if function in _TAKEN or hasattr(sys.modules["builtins"], function):
        function = f"{function}_flow"
    known = {"name": name, "function": function, "flow_name": name, "decorator": _decorator(name, function)}
    return {
        "flow.py": _FLOW.format(**known),
        "test_flow.py": _TEST.format(**known),
        "requirements.txt": _REQUIREMENTS,
        "README.md": _README.format(**known),
        ".gitignore": _GITIGNORE,
    }


def flow_file(name: str, steps: Sequence[str]) -> tuple[str, str]:
    """The name and the text of a file with a flow in which each step waits for the one before.

    Raises: InvalidInput for names that cannot be, that are the same, or too many.
    """
    function = identifier("flow", name)
    file = f"{function}.py"
    if function in sys.stdlib_module_names or function == "dagy":
        raise InvalidInput(f"A flow in {file} would hide Python's own module '{function}'", "Choose another name.")
    if len(steps) > MOST_STEPS:
        raise InvalidInput(f"{len(steps)} steps are too many", f"Give {MOST_STEPS} at most, and add the rest by hand.")
    functions = [identifier("step", step) for step in steps]
    for taken in sorted({function for function in functions if functions.count(function) > 1}):
        raise InvalidInput(f"Two steps would be the function '{taken}'", "Give each a name of its own.")
    for taken in {"Any", "flow", "task", function}.intersection(functions):
        raise InvalidInput(f"A step cannot be called '{taken}': the file needs that name", "Choose another name.")
    text = _STEPS.format(
        name=name,
        told=", then ".join(steps),
        file=file,
        function=function,
        tasks="\n".join(map(_task, functions, range(len(functions)))),
        decorator=_decorator(name, function),
        calls=_calls(functions),
    )
    return file, text


def identifier(kind: str, name: str) -> str:
    """The name as Python writes it. Raises: InvalidInput."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        rule = "letters, digits, '-' and '_', a letter first, at most 64"
        raise InvalidInput(f"Invalid {kind} name {name!r}", f"A {kind}'s name is made of {rule}.")
    found = name.replace("-", "_")
    if keyword.iskeyword(found):
        raise InvalidInput(f"Invalid {kind} name {name!r}", f"'{found}' is a word of Python's. Choose another name.")
    return found


def _decorator(name: str, function: str) -> str:
    return "@flow" if name == function else f'@flow(name="{name}")'


def _task(function: str, position: int) -> str:
    if position == 0:
        return f'\n@task\ndef {function}() -> Any:\n    return ["{function}"]  # your work, instead of this line\n'
    return f'\n@task\ndef {function}(before: Any) -> Any:\n    return [*before, "{function}"]\n'


def _calls(functions: Sequence[str]) -> str:
    lines, before = [], ""
    for function in functions[:-1]:
        after = f"after_{function}"
        while after in functions:
            after += "_"
        lines.append(f"    {after} = {function}({before})")
        before = after
    return "\n".join([*lines, f"    return {functions[-1]}({before})"])
