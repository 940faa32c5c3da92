"""The executor `ecs` on the local cloud: a task is the command of a container, which runs there as a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.aws import Aws

pytestmark = pytest.mark.local_cloud

ISOLATED = ("--execution-mode", "task-isolated")
EVERY_TASK = ("--default-executor", "ecs")

MIXED = """
    import os
    from pathlib import Path
    from dagy import flow, task

    @task(executor="ecs", retries=1, retry_delay_seconds=1)
    def boxed(marks: str) -> int:
        mark = Path(marks, "tried")
        if not mark.exists():
            mark.touch()
            raise ConnectionError("not yet")
        assert not {"AWS_LAMBDA_FUNCTION_NAME", "DAGY_TABLE", "DAGY_MESSAGE"} & set(os.environ)
        print("out of the box")
        return 20

    @task(executor="step-functions")
    def doubled(n: int) -> int:
        return 2 * n

    @task
    def added(n: int, m: int) -> int:
        return n + m

    @flow
    def boxes(marks: str):
        n = doubled(boxed(marks))
        return [added(n, m) for m in range(2)]
"""
DOOMED = """
    from dagy import flow, task

    @task
    def broken():
        raise ValueError("bad row 17")

    @flow
    def doomed_box():
        return broken()
"""
STRUCK = """
    import os, time
    from pathlib import Path
    from dagy import flow, task

    @task
    def struck(marks: str) -> str:
        Path(marks, f"began-{os.getppid()}").touch()
        while len(list(Path(marks).glob("began-*"))) < 2:
            time.sleep(0.05)
        return "survived"

    @flow
    def struck_box(marks: str):
        return struck(marks)
"""


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[str], str]:
    def made(name: str) -> str:
        (tmp_path / name).mkdir()
        return str(tmp_path / name)

    return made


def test_a_flow_with_all_three_executors_comes_to_what_it_comes_to_in_one_process(
    dagy: Any, project: Any, cloud: Any, marks: Callable[[str], str]
) -> None:
    before = len(exit_codes(cloud))
    said = dagy("run", f"{project(MIXED)}:boxes", "--local", "--param", f"marks={marks('here')}", "--json").json
    here = dagy("runs", "show", said["run_id"], "--local", "--json").json
    dagy("deploy", f"{project(MIXED)}:boxes", *ISOLATED)

    run = dagy.run_remote("boxes", "--param", f"marks={marks('there')}")

    assert (run["status"], run["result"]) == ("SUCCEEDED", here["result"]), run
    tasks = {task["task_run_id"]: (task["status"], task["attempt"]) for task in run["tasks"]}
    once = ("SUCCEEDED", 1)
    assert tasks == {"boxed-1": ("SUCCEEDED", 2), "doubled-1": once, "added-1": once, "added-2": once}
    assert "out of the box" in dagy("logs", run["run_id"], "--remote").stdout
    assert exit_codes(cloud)[before:] == [0]  # the delay was waited for in the container


def test_a_task_that_fails_has_done_what_its_container_was_for(dagy: Any, project: Any, cloud: Any) -> None:
    before = len(exit_codes(cloud))
    dagy("deploy", f"{project(DOOMED)}:doomed_box", *ISOLATED, *EVERY_TASK)

    run = dagy.run_remote("doomed_box")

    assert run["status"] == "FAILED"
    assert "bad row 17" in run["error"]["message"]
    assert dagy.eventually(lambda: exit_codes(cloud)[before:], within_s=30) == [0]


@pytest.mark.skipif(
    not os.environ.get("DAGY_DEEP_TESTS"), reason="it waits for a lease to run out: .ci/run asks for it"
)
def test_a_container_that_is_killed_is_replaced_by_the_same_execution(
    dagy: Any, project: Any, cloud: Any, marks: Callable[[str], str]
) -> None:
    before, there = len(exit_codes(cloud)), marks("there")
    dagy("deploy", f"{project(STRUCK)}:struck_box", *ISOLATED, *EVERY_TASK)
    run_id = dagy("run", "struck_box", "--remote", "--param", f"marks={there}", "--json").json["run_id"]
    [began] = dagy.eventually(lambda: list(Path(there).glob("began-*")), within_s=30)

    os.kill(int(began.name.partition("-")[2]), signal.SIGKILL)

    run = dagy.wait_for_end(run_id)
    assert (run["status"], run["result"]) == ("SUCCEEDED", "survived"), run
    assert [task["attempt"] for task in run["tasks"]] == [1]  # dying is no attempt
    ended = dagy.eventually(lambda: len(codes := exit_codes(cloud)[before:]) == 2 and codes, within_s=30)
    assert sorted(ended) == [0, 128 + signal.SIGKILL]


def exit_codes(cloud: Any) -> list[int]:
    """Of all containers that have ended, in the order of their start."""
    client = Aws("us-east-1", cloud.status().endpoint_url).client("ecs")
    [cluster] = client.list_clusters()["clusterArns"]
    arns = client.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    tasks = client.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [task["containers"][0]["exitCode"] for task in sorted(tasks, key=lambda task: task["createdAt"])]
