"""One flow with a bit of everything comes to the same however it runs: on this machine, in one process, each task in an
invocation of its own, an execution of its own, a container of its own. tests/engine compares more flows, without AWS.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.local_cloud

FLOW = """
    from pathlib import Path
    from dagy import flow, task

    @task
    def numbers(n: int) -> list[int]:
        print(f"counting to {n}")
        return list(range(n))

    @task(retries=1)
    def flaky(numbers: list[int], marks: str) -> int:
        if not Path(marks, "tried").exists():
            Path(marks, "tried").touch()
            raise ConnectionError("not yet")
        return sum(numbers)

    @task
    def broken(x: int) -> int:
        raise ValueError(f"bad row {x}")

    @task
    def added(*numbers: int) -> int:
        print(f"adding {len(numbers)}")
        return sum(numbers)

    @flow
    def everything(marks: str):
        known = numbers(4)
        some = [flaky(known, marks), added(1, 2), added(3), added(4, 5)]
        return added(added(*some), added(broken(some[0]), 1))
"""
WAYS = {
    "in-process": ("--execution-mode", "in-process"),
    "task-isolated": ("--execution-mode", "task-isolated"),
    "step-functions": ("--execution-mode", "task-isolated", "--default-executor", "step-functions"),
    "ecs": ("--execution-mode", "task-isolated", "--default-executor", "ecs"),
}


def outcome(dagy: Any, run_id: str, *place: str) -> dict[str, Any]:
    run = dagy("runs", "show", run_id, *place, "--json").json
    tasks = {task["task_run_id"]: (task["status"], task["attempt"]) for task in run["tasks"]}
    return {
        "status": run["status"],
        "error": run["error"]["message"].rpartition("' failed: ")[2],
        "tasks": tasks,
        "said": sorted(re.findall(r"(?:counting to|adding) \d$", dagy("logs", run_id, *place).stdout, re.MULTILINE)),
    }


def events(dagy: Any, run_id: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for event in dagy("runs", "events", run_id, "--remote", "--json").json:
        if event["task_run_id"]:
            told.setdefault(event["task_run_id"], []).append(event["type"])
    return told


@pytest.fixture
def marks(tmp_path: Path) -> Any:
    def new(name: str) -> tuple[str, str]:
        (tmp_path / name).mkdir()
        return "--param", f"marks={tmp_path / name}"

    return new


def test_a_flow_comes_to_the_same_in_every_way_of_running_it(dagy: Any, project: Any, marks: Any) -> None:
    target = f"{project(FLOW)}:everything"
    said = dagy("run", target, "--local", "--no-fail-fast", *marks("local"), "--json", expect=8)
    here = outcome(dagy, said.json["run_id"], "--local")
    started = {}
    for way, words in WAYS.items():
        dagy("deploy", target, "--deployment", f"everything-{way}", *words)
        run = ("run", f"everything-{way}", "--remote", "--no-fail-fast", *marks(way), "--json")
        started[way] = dagy(*run).json["run_id"]
    for run_id in started.values():
        dagy.wait_for_end(run_id)

    assert {way: outcome(dagy, run_id, "--remote") for way, run_id in started.items()} == dict.fromkeys(WAYS, here)
    told = {way: events(dagy, run_id) for way, run_id in started.items()}
    assert told == dict.fromkeys(WAYS, told["in-process"])
    assert here["status"] == "FAILED" and here["error"] == "bad row 6"
    assert here["said"] == ["adding 1", "adding 2", "adding 2", "adding 4", "counting to 4"]
    assert [here["tasks"][id] for id in ("flaky-1", "broken-1", "added-4", "added-5", "added-6")] == [
        ("SUCCEEDED", 2),
        ("FAILED", 1),
        ("SUCCEEDED", 1),
        ("SKIPPED", 0),
        ("SKIPPED", 0),
    ]
