"""The executor `step-functions` on the local cloud: every task that asks for it is an execution of the task machine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dagy.aws import Aws

pytestmark = pytest.mark.local_cloud

ISOLATED = ("--execution-mode", "task-isolated")
EVERY_TASK = ("--default-executor", "step-functions")

WAITING = """
    import os
    from pathlib import Path
    from dagy import flow, task

    @task(retries=1, retry_delay_seconds=3)
    def counted(marks: str) -> int:
        mark = Path(marks, "tried")
        if not mark.exists():
            mark.touch()
            raise ConnectionError("not yet")
        return 20

    @task(executor="lambda")
    def doubled(n: int) -> int:
        return 2 * n

    @task
    def added(n: int, m: int) -> int:
        return n + m

    @flow
    def waiting(marks: str):
        n = doubled(counted(marks))
        return [added(n, m) for m in range(2)]
"""
KILLED = """
    import os, time
    from pathlib import Path
    from dagy import flow, task

    @task
    def killed(marks: str) -> str:
        Path(marks, f"began-{os.getppid()}").touch()
        while len(list(Path(marks).glob("began-*"))) < 2:
            time.sleep(0.05)
        return "survived"

    @flow
    def struck(marks: str):
        return killed(marks)
"""
DOOMED = """
    from dagy import flow, task

    @task
    def broken():
        raise ValueError("bad row 17")

    @flow
    def doomed_execution():
        return broken()
"""


class Machine:
    """The stage's task machine, as AWS's console shows it."""

    def __init__(self, aws: Aws) -> None:
        self._client = aws.client("stepfunctions")
        resources = aws.client("cloudformation").describe_stack_resources(StackName="Dagy-local-App")["StackResources"]
        [self._arn] = [
            r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"].startswith("RuntimesTasksMachine")
        ]

    def executions(self, run_id: str) -> dict[str, tuple[str, list[str]]]:
        """Of a run's tasks: how each ended, and the states it went through."""
        found = {}
        listed = self._client.list_executions(stateMachineArn=self._arn, maxResults=100)["executions"]
        for execution in listed:
            told = self._client.describe_execution(executionArn=execution["executionArn"])
            message = json.loads(told["input"])["message"]
            if message["run_id"] == run_id:
                assert message["task_run_id"] not in found
                history = self._client.get_execution_history(executionArn=execution["executionArn"])["events"]
                entered = [e["stateEnteredEventDetails"]["name"] for e in history if "stateEnteredEventDetails" in e]
                found[message["task_run_id"]] = (told["status"], entered)
        return found


@pytest.fixture
def machine(cloud: Any) -> Machine:
    return Machine(Aws("us-east-1", cloud.status().endpoint_url))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


def test_a_task_is_an_execution_that_waits_for_its_next_attempt(
    dagy: Any, project: Any, machine: Machine, marks: Path
) -> None:
    dagy("deploy", f"{project(WAITING)}:waiting", *ISOLATED, *EVERY_TASK)

    run = dagy.run_remote("waiting", "--param", f"marks={marks}")

    assert (run["status"], run["result"]) == ("SUCCEEDED", [40, 41]), run
    assert {task["task_run_id"]: task["attempt"] for task in run["tasks"]}["counted-1"] == 2
    once = ("SUCCEEDED", ["Run", "What now", "Done"])
    assert dagy.eventually(lambda: _all_ended(machine.executions(run["run_id"]), 3), within_s=30) == {
        "counted-1": ("SUCCEEDED", ["Run", "What now", "Wait", "Run", "What now", "Done"]),
        "added-1": once,
        "added-2": once,
    }


def test_the_execution_of_a_failed_task_is_seen_to_have_failed(dagy: Any, project: Any, machine: Machine) -> None:
    dagy("deploy", f"{project(DOOMED)}:doomed_execution", *ISOLATED, *EVERY_TASK)

    run = dagy.run_remote("doomed_execution")

    assert run["status"] == "FAILED"
    assert "bad row 17" in run["error"]["message"]
    ended = dagy.eventually(lambda: _all_ended(machine.executions(run["run_id"]), 1), within_s=30)
    assert ended == {"broken-1": ("FAILED", ["Run", "What now", "Failed"])}


@pytest.mark.skipif(
    not os.environ.get("DAGY_DEEP_TESTS"), reason="it waits for a lease to run out: .ci/run asks for it"
)
def test_a_function_that_is_killed_is_invoked_again_by_the_same_execution(
    dagy: Any, project: Any, machine: Machine, marks: Path
) -> None:
    dagy("deploy", f"{project(KILLED)}:struck", *ISOLATED, *EVERY_TASK)
    run_id = dagy("run", "struck", "--remote", "--param", f"marks={marks}", "--json").json["run_id"]
    [began] = dagy.eventually(lambda: list(marks.glob("began-*")), within_s=30)

    os.kill(int(began.name.partition("-")[2]), signal.SIGKILL)

    run = dagy.wait_for_end(run_id)
    assert (run["status"], run["result"]) == ("SUCCEEDED", "survived"), run
    assert [task["attempt"] for task in run["tasks"]] == [1]  # dying is no attempt
    ended = dagy.eventually(lambda: _all_ended(machine.executions(run_id), 1), within_s=30)
    assert ended == {"killed-1": ("SUCCEEDED", ["Run", "What now", "Done"])}


def test_what_cannot_be_is_refused_before_anything_is_uploaded(dagy: Any, project: Any) -> None:
    said = dagy(
        "deploy", f"{project(DOOMED)}:doomed_execution", *EVERY_TASK, "--execution-mode", "in-process", expect=2
    )

    assert "all tasks of a run share one process" in said.stderr
    assert "task-isolated" in said.stderr


def _all_ended(executions: dict[str, tuple[str, list[str]]], count: int) -> dict[str, tuple[str, list[str]]] | None:
    is_over = len(executions) == count and all(status != "RUNNING" for status, _ in executions.values())
    return executions if is_over else None
