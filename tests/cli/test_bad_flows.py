"""What goes wrong in a flow that runs here is a named error with the place, the run FAILED with it recorded when there
was one, and never a traceback of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Write = Callable[..., str]

HEAD = """\
import threading
from dagy import TaskOutput, flow, task

@task
def number(x):
    return x

@task
def big(megabytes: int):
    return "x" * (megabytes * 2**20)

@task(retries=3)
def unstorable():
    return {"rows": [threading.Lock()]}

@task
def typed(x: int):
    return x

@task
def fails():
    raise ValueError("no rows")

@task
def yields():
    yield 1
"""


@pytest.mark.parametrize(
    "body, words",
    [
        pytest.param(
            "return number(TaskOutput('number-2'))",
            "Dependency cycle detected or missing dependency output: number-2 → number-1",
            id="a reference to nothing",
        ),
        pytest.param(
            "first = number(TaskOutput('number-2'))\n    return number(first)",
            "Dependency cycle detected or missing dependency output: number-2 → number-1 → number-2",
            id="a cycle",
        ),
        pytest.param("return wrong()", "{file}:30: The flow never ends: it calls itself", id="a call of itself"),
        pytest.param("return number(x for x in 'ab')", "{file}:30: Task 'number' was given a gen", id="a generator"),
        pytest.param("return number(1, 2)", "{file}:30: Task 'number' cannot be called like this", id="too much"),
        pytest.param("return yields()", "Task 'yields' ({file}:24) is a generator", id="a task that is a generator"),
        pytest.param("return 1 + number(1)", "{file}:30: ", id="a look at a result"),
    ],
)  # fmt: skip
def test_a_flow_that_cannot_be_planned_is_no_run(dagy: Any, project: Write, body: str, words: str) -> None:
    file = project(f"{HEAD}\n@flow\ndef wrong():\n    {body}\n")
    said = dagy("run", f"{file}:wrong", expect=None)
    assert said.code == 7
    assert words.format(file=file) in said.stderr
    assert "Traceback" not in said.stderr
    assert dagy("runs", "list", "--json").json == []


@pytest.mark.parametrize(
    "body, error_type, words",
    [
        pytest.param(
            "return unstorable()",
            "ArtifactSerializationError",
            "A result of type dict cannot be stored: at result['rows'][0] is a _thread.lock",
            id="a result that cannot be stored",
        ),
        pytest.param(
            "return big(6)",
            "ArtifactSerializationError",
            "A result of type str cannot be stored: it takes 6,291,458 bytes (json), more than the 5,242,880 that "
            "DAGY_LOCAL_ARTIFACT_MAX_BYTES allows",
            id="a result over the cap",
        ),
        pytest.param("return typed('many')", "ParameterTypeError", "Parameter 'x' expects int", id="a wrong argument"),
        pytest.param("return fails()", "ValueError", "no rows", id="an error of the author's"),
    ],
)
def test_a_run_that_fails_is_recorded_with_the_reason(
    dagy: Any, project: Write, body: str, error_type: str, words: str
) -> None:
    said = dagy(
        "run", f"{project(f'{HEAD}{chr(10)}@flow{chr(10)}def wrong():{chr(10)}    {body}{chr(10)}')}:wrong", expect=None
    )
    assert said.code != 0
    assert words in said.stderr
    assert "dagy/" not in said.stderr  # no frame of ours
    [run] = dagy("runs", "list", "--json").json
    assert run["status"] == "FAILED"
    assert run["error"]["error_type"] == error_type
    assert words in run["error"]["message"]


def test_a_corrupt_database_is_set_aside_and_runs_go_on(
    dagy: Any, project: Write, home: Any, caplog: pytest.LogCaptureFixture
) -> None:
    file = project(f"{HEAD}\n@flow\ndef right():\n    return number(1)\n")
    dagy("run", f"{file}:right")
    (home / "dagy.duckdb").write_bytes(b"no database at all" * 1000)
    said = dagy("run", f"{file}:right")
    assert "The local records were damaged. They are kept as" in caplog.text  # Python shows warnings on stderr
    assert "Traceback" not in said.stderr
    assert [run["status"] for run in dagy("runs", "list", "--json").json] == ["SUCCEEDED", "SUCCEEDED"]
