"""`dagy init`: what it makes builds, runs, is tested and is deployed as it stands, and nothing is written over."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FILES = ["flow.py", "test_flow.py", "requirements.txt", "README.md", ".gitignore"]


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def run_tests(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", ["my-pipeline", "shop_2", "list", "flow-", "test-data", "clean", "task", "Any"])
def test_a_new_project_is_tested_built_and_run_as_it_stands(dagy: Any, monkeypatch: Any, name: str) -> None:
    said = dagy("init", name, "--json")

    assert said.json == {"name": name, "directory": name, "files": FILES}
    assert names_in(name) == sorted(FILES)
    monkeypatch.chdir(name)
    assert "3 passed" in run_tests(Path.cwd())
    assert dagy("run", "flow.py", "--param", "day=2026-03-04", "--json").json["flow_name"] == name
    assert dagy("build", "flow.py", "--json").json["warnings"] == []


def test_a_new_project_is_deployed_by_the_commands_of_its_readme(dagy: Any, stage: Any, monkeypatch: Any) -> None:
    dagy("init", "nightly-report")
    monkeypatch.chdir("nightly-report")
    readme = Path("README.md").read_text()

    lines = [shlex.split(line.removeprefix("$ dagy ")) for line in readme.splitlines() if line.startswith("$ dagy ")]
    deploy = next(words for words in lines if words[0] == "deploy")
    watched = next(words for words in lines if words[-1] == "--watch")
    dagy(*deploy)
    started = dagy(*watched[:-1], "--json").json

    assert started["parameters"] == {"day": "2026-03-04"}
    assert dagy("deployments", "show", "nightly-report", "--json").json["schedule"] == "0 7 * * *"


def test_people_are_told_what_was_created_and_what_comes_next(dagy: Any) -> None:
    said = dagy("init", "shop")

    assert said.stdout == "Created shop/\n" + "".join(f"  shop/{name}\n" for name in FILES)
    assert "cd shop" in said.stderr


@pytest.mark.parametrize("words", [["shop"], ["flow", "shop", "--steps", "a,b"]])
def test_a_dry_run_writes_nothing(dagy: Any, words: list[str]) -> None:
    said = dagy("init", *words, "--dry-run")

    assert said.stdout.startswith("Would create shop")
    assert names_in(".") == []


def test_an_empty_folder_is_taken_and_anything_else_is_left_alone(dagy: Any) -> None:
    Path("empty").mkdir()
    dagy("init", "empty")
    Path("mine").mkdir()
    Path("mine/work.txt").write_text("precious")
    Path("a-file").touch()
    Path("a-link").symlink_to("nowhere")

    assert "The folder mine is not empty" in dagy("init", "mine", expect=6).stderr
    assert "The folder mine is not empty" in dagy("init", "mine", "--dry-run", expect=6).stderr
    assert "a-file exists already" in dagy("init", "a-file", expect=6).stderr
    assert "a-link exists already" in dagy("init", "a-link", expect=6).stderr
    assert names_in("mine") == ["work.txt"]
    assert names_in(".") == ["a-file", "a-link", "empty", "mine"]


def test_a_folder_that_cannot_be_written_is_told_plainly(dagy: Any) -> None:
    Path("etl.py").mkdir()

    assert "exists already" in dagy("init", "flow", "etl", expect=6).stderr


# --- a flow ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        ["process"],
        ["fetch", "resize", "upload"],
        ["fetch", "after_fetch", "after-fetch_"],
        [f"step-{n}" for n in range(20)],
        ["print", "list", "result"],
    ],
    ids=len,
)
def test_a_new_flow_is_a_chain_of_its_steps(dagy: Any, steps: list[str]) -> None:
    words = ["--steps", ", ".join(steps)] if steps != ["process"] else []
    said = dagy("init", "flow", "image-pipeline", *words, "--json")
    tasks = [step.replace("-", "_") for step in steps]

    assert said.json == {"name": "image-pipeline", "directory": ".", "files": ["image_pipeline.py"]}
    ran = dagy("run", "image_pipeline.py:image_pipeline", "--json").json
    shown = dagy("runs", "show", ran["run_id"], "--json").json
    assert shown["flow_name"] == "image-pipeline"
    assert [task["task_name"] for task in shown["tasks"]] == tasks
    ids = [f"{task}-1" for task in tasks]
    assert [task["depends_on"] for task in shown["tasks"]] == [ids[at - 1 : at] for at in range(len(ids))]
    assert shown["result"] == tasks


def test_a_new_flow_is_not_written_over_another(dagy: Any) -> None:
    Path("etl.py").write_text("mine")

    assert "etl.py exists already" in dagy("init", "flow", "etl", expect=6).stderr
    assert Path("etl.py").read_text() == "mine"
    assert names_in(".") == ["etl.py"]


def test_what_is_written_is_formatted_and_linted(dagy: Any) -> None:
    dagy("init", "shop")
    dagy("init", "flow", "chain", "--steps", "a,b,c")
    ruff = [sys.executable, "-m", "ruff"]

    for folder in (".", "shop"):
        for words in (["format", "--check"], ["check", "--select", "E,F,I,B,UP"]):
            command = [*ruff, *words, "--isolated", "--line-length", "120", "--exclude", "shop", "."]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "words, message",
    [
        pytest.param(["1st"], "Invalid project name '1st'", id="a digit first"),
        pytest.param(["../up"], "Invalid project name '../up'", id="a path"),
        pytest.param(["a b"], "Invalid project name 'a b'", id="a space"),
        pytest.param([""], "Invalid project name ''", id="nothing"),
        pytest.param(["a" * 65], "at most 64", id="too long"),
        pytest.param(["import"], "'import' is a word of Python's", id="a keyword"),
        pytest.param(["shop", "more"], "unexpected extra argument (more)", id="two names"),
        pytest.param(["workflow", "shop"], "Did you mean 'flow'?", id="nearly flow"),
        pytest.param(["flow"], "Give the new flow one name", id="a flow without a name"),
        pytest.param(["flow", "a", "b"], "Give the new flow one name", id="a flow with two"),
        pytest.param(["shop", "--steps", "a"], "--steps is for a flow", id="steps of a project"),
        pytest.param(["flow", "json"], "would hide Python's own module 'json'", id="a module of Python"),
        pytest.param(["flow", "dagy"], "would hide Python's own module 'dagy'", id="our own name"),
        pytest.param(["flow", "x", "--steps", ""], "Invalid step name ''", id="no step"),
        pytest.param(["flow", "x", "--steps", "a,,b"], "Invalid step name ''", id="an empty step"),
        pytest.param(["flow", "x", "--steps", "a,a"], "Two steps would be the function 'a'", id="twice"),
        pytest.param(
            ["flow", "x", "--steps", "a-b,a_b"], "Two steps would be the function 'a_b'", id="twice in Python"
        ),
        pytest.param(["flow", "x", "--steps", "x"], "A step cannot be called 'x'", id="the flow's own name"),
        pytest.param(["flow", "x", "--steps", "task"], "A step cannot be called 'task'", id="a name that is needed"),
        pytest.param(["flow", "x", "--steps", "for"], "'for' is a word of Python's", id="a keyword as step"),
        pytest.param(
            ["flow", "x", "--steps", ",".join(f"s{n}" for n in range(21))], "21 steps are too many", id="too many"
        ),
    ],
)
def test_names_that_cannot_be_are_told(dagy: Any, words: list[str], message: str) -> None:
    said = dagy("init", *words, expect=2)

    assert message in f"{said.stderr}"
    assert names_in(".") == []
