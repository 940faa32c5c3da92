"""Isolated tasks on the local cloud when things go wrong: messages that come again, code that is gone, functions that
are killed. What the simulation shows for many thousand stories is tried here on real processes, forks and requests.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dagy.aws import Aws
from dagy.core.states import Status
from dagy_runtime.adapters.aws.blobs import S3Blobs
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.runs import DynamoRunStore
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.values import TaskRun

pytestmark = pytest.mark.local_cloud

REGION = "us-east-1"
RACERS, RACES = 16, 40
ISOLATED = ("--execution-mode", "task-isolated")
COUNTING = """
    import os, time
    from pathlib import Path
    from dagy import flow, task

    @task
    def first(marks: str) -> int:
        Path(marks, f"first-{os.getppid()}").touch()
        while not Path(marks, "go").exists():
            time.sleep(0.05)
        return os.getppid()

    @task
    def second(marks: str, before: int) -> int:
        Path(marks, f"second-{os.getpid()}").touch()
        return before

    @flow
    def counted(marks: str):
        return second(marks, first(marks))
"""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def aws(cloud: Any) -> Aws:
    return Aws(REGION, cloud.status().endpoint_url)


def begun(dagy: Any, project: Any, marks: Path) -> tuple[str, int]:
    """A run whose first task runs and waits, and the process of the function around it."""
    dagy("deploy", f"{project(COUNTING)}:counted", *ISOLATED)
    run_id = dagy("run", "counted", "--remote", "--param", f"marks={marks}", "--json").json["run_id"]
    started = dagy.eventually(lambda: list(marks.glob("first-*")), within_s=30)
    return run_id, int(started[0].name.partition("-")[2])


def test_messages_that_come_again_start_nothing_again(
    dagy: Any, project: Any, aws: Aws, marks: Path, runtime: str
) -> None:
    run_id, _ = begun(dagy, project, marks)
    again = [{"v": 1, "kind": "run-task", "run_id": run_id, "task_run_id": "first-1", "position": 0}] * 3
    for message in again:
        invoke(aws, runtime, message)
    (marks / "go").touch()
    run = dagy.wait_for_end(run_id)
    late = {"v": 1, "kind": "run-task", "run_id": run_id, "task_run_id": "second-1", "position": 1}
    for message in [*again, late, late, {"v": 1, "kind": "advance-run", "run_id": run_id}]:
        invoke(aws, runtime, message)

    assert run["status"] == "SUCCEEDED"
    assert dagy.show(run_id)["tasks"] == run["tasks"]
    assert len(list(marks.glob("first-*"))) == len(list(marks.glob("second-*"))) == 1


def test_a_flow_whose_code_is_deleted_while_it_runs_fails_and_says_so(
    cloud: Any, dagy: Any, project: Any, aws: Aws, marks: Path
) -> None:
    run_id, _ = begun(dagy, project, marks)
    pinned = store_of(cloud, aws).get_run(run_id)
    assert pinned is not None and pinned.artifact.version_id is not None
    s3, artifact = aws.client("s3"), pinned.artifact
    s3.delete_object(Bucket=artifact.bucket, Key=artifact.key, VersionId=artifact.version_id)
    (marks / "go").touch()

    run = dagy.wait_for_end(run_id)

    assert run["status"] == "FAILED"
    assert "does not exist any more" in run["error"]["message"]
    assert [task["status"] for task in run["tasks"]] == ["SUCCEEDED", "FAILED"]


@pytest.mark.skipif(
    not os.environ.get("DAGY_DEEP_TESTS"), reason="it waits for a lease to run out: .ci/run asks for it"
)
def test_a_function_that_is_killed_with_its_task_has_it_run_again(dagy: Any, project: Any, marks: Path) -> None:
    """Its lease runs out after half a minute; then a retry of the invocation, or the reconciler, takes it over."""
    run_id, function = begun(dagy, project, marks)
    os.kill(function, signal.SIGKILL)
    dagy.eventually(lambda: len(list(marks.glob("first-*"))) == 2, within_s=150)
    (marks / "go").touch()

    run = dagy.wait_for_end(run_id)

    assert run["status"] == "SUCCEEDED"
    assert run["result"] != function
    assert [task["attempt"] for task in run["tasks"]] == [1, 1]  # dying is no attempt


def test_of_sixteen_that_claim_one_task_at_once_one_wins(cloud: Any, aws: Aws) -> None:
    """The emulator's conditional writes hold and its sets are whole, so what is tried on it means something."""
    store = store_of(cloud, aws)
    run_id = f"race-{uuid.uuid4().hex}"
    names = [f"t-{number}" for number in range(RACES)]
    store.put_tasks(run_id, [TaskRun(run_id, name, "t", Status.PENDING, n) for n, name in enumerate(names)])

    def race(name: str) -> tuple[int, int]:
        gate = threading.Barrier(RACERS)

        def run(number: int) -> tuple[bool, bool]:
            gate.wait()
            how: dict[str, Any] = {"attempt": 1, "flow_attempt": 1, "started_at": "2026-03-04T12:00:00.000Z"}
            task = store.claim_task(run_id, name, attempt_id=f"a{number}", now=0.0, lease_s=30.0, **how)
            return task.attempt_id == f"a{number}", store.arrive(run_id, f"{name}#0.0", number) == RACERS

        won, last = zip(*pool.map(run, range(RACERS)), strict=True)
        return sum(won), sum(last)

    with ThreadPoolExecutor(RACERS) as pool:
        assert [race(name) for name in names] == [(1, 1)] * RACES


@pytest.fixture
def runtime(aws: Aws) -> str:
    """The name of the function of the smallest size."""
    resources = aws.client("cloudformation").describe_stack_resources(StackName="Dagy-local-App")["StackResources"]
    return next(
        str(one["PhysicalResourceId"])
        for one in resources
        if one["ResourceType"] == "AWS::Lambda::Function" and "nano" in one["PhysicalResourceId"].lower()
    )


def invoke(aws: Aws, function: str, message: dict[str, Any]) -> None:
    """As AWS would deliver it, but waited for."""
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(message))
    assert "FunctionError" not in answer, answer["Payload"].read()


def store_of(cloud: Any, aws: Aws) -> DynamoRunStore:
    """The stage's own records, past its API."""
    clients, manifest = Signed(aws), cloud.status().manifest
    return DynamoRunStore(Table(clients, manifest.table), Packing(S3Blobs(clients, manifest.bucket)))


class Signed(Clients):
    """The adapters' way to clients, with the emulator's credentials."""

    def __init__(self, aws: Aws) -> None:
        super().__init__({})
        self._made = {service: aws.client(service) for service in ("dynamodb", "s3")}

    def get(self, service: str) -> Any:
        return self._made[service]
