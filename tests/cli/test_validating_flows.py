"""`dagy flows validate`: offline, and as strict as a stage."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., str]
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def spec(dagy: Any, project: Write) -> dict[str, Any]:
    """What an artifact of the flow `etl` says: extract-1, then load-1, which gets its result."""
    path = dagy("build", f"{project()}:etl", "--json").json["path"]
    found: dict[str, Any] = json.loads(zipfile.ZipFile(path).read("flow_spec.json"))
    return found


def save(value: Any, name: str = "flow_spec.json") -> str:
    Path(name).write_text(json.dumps(value))
    return name


def test_flows_artifacts_and_specs_are_valid_in_the_same_words(dagy: Any, spec: Any, project: Write) -> None:
    flow = f"{project()}:etl"
    artifact = dagy("build", flow, "--output-dir", "dist", "--json").json["path"]

    targets = {"flow": flow, "artifact": artifact, "spec": save(spec)}

    for kind, target in targets.items():
        assert dagy("flows", "validate", target).stdout == "Valid: etl:latest (2 tasks)\n"
        assert dagy("flows", "validate", target, "--json").json == {
            "valid": True, "kind": kind, "name": "etl", "version": "latest", "tasks": 2, "task_runs": 2, "edges": 1,
            "warnings": [],
        }  # fmt: skip


def test_nothing_is_asked_and_nothing_is_written(dagy: Any, stage: Any, project: Write, home: Path) -> None:
    def files() -> set[Path]:
        return {path for path in [*home.rglob("*"), *Path().rglob("*")] if "__pycache__" not in path.parts}

    flow, before = project(), files()

    dagy("flows", "validate", flow)

    assert stage.asked == []
    assert files() - before == set()


def test_what_a_module_prints_stays_out_of_the_answer(dagy: Any, project: Write) -> None:
    flow = project(
        "print('importing')\nfrom dagy import flow, task\n@task\ndef a(): ...\n@flow\ndef f():\n    a()\n    a()\n"
    )

    said = dagy("flows", "validate", flow)

    assert said.stdout == "Valid: f:latest (1 task, 2 task runs)\n"
    assert "importing" in said.stderr


def test_a_flow_that_needs_a_value_is_given_one(dagy: Any, project: Write) -> None:
    flow = project(
        "from dagy import flow, task\n@task\ndef a(i): ...\n@flow\ndef f(n: int):\n    [a(i) for i in range(n)]\n"
    )

    assert "--param n=<value>" in dagy("flows", "validate", flow, expect=7).stderr
    assert "3 task runs" in dagy("flows", "validate", flow, "--param", "n=3").stdout


def drop(key: str) -> Change:
    return lambda spec: spec.pop(key)


def run_of(spec: dict[str, Any], id: str) -> dict[str, Any]:
    return next(run for run in spec["task_runs"] if run["id"] == id)


def a_cycle(spec: dict[str, Any]) -> None:
    run_of(spec, "extract-1")["depends_on"] = ["load-1"]
    spec["edges"].append(["load-1", "extract-1"])


@pytest.mark.parametrize(
    "change, message",
    [
        pytest.param(a_cycle, "Dependency cycle detected", id="a cycle"),
        pytest.param(drop("task_runs"), "task_runs", id="a missing field"),
        pytest.param(
            lambda spec: run_of(spec, "load-1").update(task_name="lost"), "is of task 'lost'", id="a missing task"
        ),
        pytest.param(
            lambda spec: run_of(spec, "load-1").update(depends_on=["lost-1"]), "depends on 'lost-1'", id="a lost parent"
        ),
        pytest.param(
            lambda spec: run_of(spec, "load-1").update(args=[{"$ref": "lost-1"}]),
            "is given the result of 'lost-1', which the flow spec lacks",
            id="a result of nobody",
        ),
        pytest.param(
            lambda spec: run_of(spec, "extract-1").update(kwargs={"x": [{"$ref": "load-1"}]}),
            "is given the result of 'load-1' and does not wait for it",
            id="a result that is not awaited",
        ),
        pytest.param(
            lambda spec: spec.update(outputs={"$ref": "lost-1"}), "returns the result of 'lost-1'", id="a lost output"
        ),
        pytest.param(
            lambda spec: spec.update(edges=[]), "a dependency from 'extract-1' to 'load-1', and no edge", id="no edge"
        ),
        pytest.param(
            lambda spec: spec["edges"].append(["load-1", "extract-1"]), "an edge from 'load-1'", id="an edge too many"
        ),
        pytest.param(
            lambda spec: run_of(spec, "extract-1").update(args=[{"$param": "lost"}]),
            "uses the parameter 'lost'",
            id="an undeclared parameter",
        ),
        pytest.param(lambda spec: spec.update(name="no name"), "Invalid flow name 'no name'", id="a name"),
        pytest.param(lambda spec: spec["tasks"]["load"].update(retries=-1), "retries", id="a setting"),
        pytest.param(
            lambda spec: spec["tasks"]["load"].update(default_executor="ecs"), "'ecs'", id="an executor no stage has"
        ),
    ],
)
def test_a_spec_that_does_not_hold_is_told_why(dagy: Any, spec: Any, change: Change, message: str) -> None:
    broken = deepcopy(spec)
    change(broken)

    said = dagy("flows", "validate", save(broken), expect=None)

    assert said.code == (2 if "Invalid flow name" in message else 7)
    assert message in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize(
    "source, message",
    [
        pytest.param("def f(:\n", "SyntaxError", id="no Python"),
        pytest.param("import nowhere_at_all\n", "No module named 'nowhere_at_all'", id="an import that fails"),
        pytest.param(
            "from dagy import flow, task\n@task\ndef a():\n    import nowhere_at_all\n@flow\ndef f():\n    a()\n",
            "Module 'nowhere_at_all' is imported at",
            id="an import that would fail there",
        ),
        pytest.param("x = 1\n", "No flow found", id="no flow"),
        pytest.param(
            "from dagy import flow, task\n@flow\ndef f():\n    @task\n    def a(): ...\n    a()\n",
            "defined inside a function",
            id="a task inside a function",
        ),
        pytest.param("from dagy import flow, task\n@task(retries=-1)\ndef a(): ...\n", "retries", id="a setting"),
    ],
)
def test_code_that_cannot_be_a_flow_is_exit_7(dagy: Any, project: Write, source: str, message: str) -> None:
    said = dagy("flows", "validate", project(source), expect=7)

    assert message in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize(
    "target, code, message",
    [
        pytest.param("gone.py", 5, "Flow file not found: gone.py", id="no file"),
        pytest.param("gone.zip", 5, "Artifact not found: ", id="no artifact"),
        pytest.param("gone.json", 5, "Flow spec not found: gone.json", id="no spec"),
        pytest.param("text.json", 2, "text.json is not JSON", id="no JSON"),
        pytest.param("list.json", 7, "must be a JSON object", id="a list"),
        pytest.param("deep.json", 2, "deep.json is not JSON", id="a bomb"),
        pytest.param("text.zip", 2, "Not a readable artifact", id="no zip"),
        pytest.param("folder.json", 1, "Is a directory", id="a folder"),
        pytest.param("etl", 2, "Flow target must be in <path>:<flow_fn> format", id="a bare name"),
    ],
)
def test_what_cannot_be_read_is_told(dagy: Any, target: str, code: int, message: str) -> None:
    Path("text.json").write_text("hello")
    Path("text.zip").write_text("hello")
    Path("list.json").write_text("[]")
    Path("deep.json").write_text("[" * 200_000)
    Path("folder.json").mkdir()

    assert message in dagy("flows", "validate", target, expect=code).stderr


def test_an_artifact_that_was_changed_afterwards_is_not_believed(dagy: Any, project: Write) -> None:
    path = dagy("build", f"{project()}:etl", "--json").json["path"]
    with zipfile.ZipFile(path) as built, zipfile.ZipFile("changed.zip", "w") as changed:
        for name in built.namelist():
            data = built.read(name)
            changed.writestr(name, data.replace(b'"etl"', b'"elt"') if name == "flow_spec.json" else data)

    assert "flow_spec.json" in dagy("flows", "validate", "changed.zip", expect=2).stderr


def test_parameters_are_for_what_is_built(dagy: Any) -> None:
    assert (
        "--param is for flows that are built" in dagy("flows", "validate", "x.zip", "--param", "n=1", expect=2).stderr
    )
