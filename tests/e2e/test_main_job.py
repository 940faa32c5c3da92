"""The main job, through the command line, on the local cloud: deploy a flow, run it there, see what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.local_cloud

EXAMPLES = {
    "weather_report": ("examples/weather_etl/flow.py", ["--include", "data/*.csv"], {"year": 2013}),
    "daily_orders": ("examples/orders/flow.py", [], {"day": "2026-03-04"}),
    "sessions_by_country": ("examples/clickstream/flow.py", [], {"partitions": 50}),
}


@pytest.fixture(scope="module")
def deployed(dagy: Any) -> Any:
    for name, (path, options, _) in EXAMPLES.items():
        dagy("deploy", f"{path}:{name}", *options, "--execution-mode", "small")
    return dagy


def local_result(dagy: Any, path: str, name: str, parameters: dict[str, Any]) -> Any:
    """What the same flow returns when it runs in a plain Python process on this machine, as JSON."""
    source = (
        "import json, sys\n"
        "from dagy.artifact import load_target\n"
        "import msgspec\n"
        f"flow = load_target({f'{path}:{name}'!r})\n"
        f"print(msgspec.json.encode(flow.run_local(**json.loads({json.dumps(parameters)!r})).result).decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=dagy.cwd,
        env=dagy.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_deployed_example_gives_the_result_it_gives_on_a_laptop(deployed: Any, name: str) -> None:
    path, _, parameters = EXAMPLES[name]
    words = [word for key, value in parameters.items() for word in ("--param", f"{key}={value}")]

    run = deployed.run_remote(name, *words)

    assert run["status"] == "SUCCEEDED", run
    assert run["execution_mode"] == "small"
    assert run["result"] == local_result(deployed, path, name, parameters)


def test_tasks_tell_their_attempts_durations_and_memory(deployed: Any) -> None:
    run = deployed.run_remote("daily_orders")

    tasks = {task["task_run_id"]: task for task in run["tasks"]}

    assert set(tasks) == {"fetch-1", "total-1", "fetch-2", "total-2", "fetch-3", "total-3", "summarise-1"}
    assert {task["status"] for task in tasks.values()} == {"SUCCEEDED"}
    assert {tasks[f"fetch-{n}"]["attempt"] for n in (1, 2, 3)} == {3}  # the source fails twice for each region
    assert all(task["duration_s"] >= 0 and task["peak_mib"] > 1 for task in tasks.values())


def test_the_logs_of_a_run_hold_what_its_tasks_printed(deployed: Any) -> None:
    run = deployed.run_remote("weather_report", "--param", "year=2015")

    everything = deployed("logs", run["run_id"], "--remote").stdout
    of_one_task = deployed("logs", run["run_id"], "--remote", "--task", "clean-1").stdout

    assert "read 365 rows of 2015" in everything
    assert "kept 365 of 365 rows" in of_one_task
    assert "read 365 rows" not in of_one_task


def test_watching_a_run_follows_it_to_its_end(deployed: Any) -> None:
    said = deployed("run", "weather_report", "--param", "year=2014", "--watch")

    assert "SUCCEEDED" in said.stdout + said.stderr
    assert "report-1" in said.stdout + said.stderr


def test_deploying_again_without_a_change_uploads_nothing(deployed: Any) -> None:
    said = deployed("deploy", "examples/clickstream/flow.py:sessions_by_country", "--execution-mode", "small")

    assert "No code changes detected (code_hash unchanged). Skipping deployment." in said.stdout + said.stderr
    forced = deployed("deploy", "examples/clickstream/flow.py:sessions_by_country", "--force")
    assert "Deployed to s3://dagy-artifacts-000000000000-us-east-1-local/" in forced.stdout


def test_the_same_idempotency_key_gives_the_same_run(deployed: Any) -> None:
    def submit(_: int) -> str:
        said = deployed("run", "weather_report", "--idempotency-key", "once-only", "--json")
        return str(said.json["run_id"])

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(submit, range(6)))

    assert len(ids) == 1
    assert deployed.wait_for_end(ids.pop())["status"] == "SUCCEEDED"


def test_two_deploys_at_once_end_in_one_consistent_state(dagy: Any, tmp_path: Path) -> None:
    for word in ("one", "two"):
        folder = tmp_path / word
        folder.mkdir()
        (folder / "raced.py").write_text(
            "from dagy import flow, task\n\n"
            f"@task\ndef say():\n    return {word!r}\n\n"
            "@flow\ndef raced():\n    return say()\n"
        )
    schedules = {"one": "0 1 * * *", "two": "0 2 * * *"}

    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda word: dagy(
                    "deploy", f"{tmp_path}/{word}/raced.py:raced", "--schedule", schedules[word], "--timezone", "UTC"
                ),
                schedules,
            )
        )

    deployment = dagy("deployments", "show", "raced", "--json").json
    assert deployment["schedule"] in schedules.values()
    assert dagy.run_remote("raced")["result"] in schedules
    dagy("deployments", "delete", "raced", "--yes")
    assert dagy("run", "raced", "--remote", expect=5).code == 5


def test_a_run_can_be_cancelled_and_its_compute_stops(dagy: Any, project: Any, tmp_path: Path) -> None:
    path = project(
        """
        import os, time
        from pathlib import Path
        from dagy import flow, task

        @task
        def forever(told: str):
            Path(told).write_text(str(os.getpid()))
            time.sleep(600)

        @flow
        def endless(told: str):
            return forever(told)
        """
    )
    told = tmp_path / "pid"  # the local cloud's functions are processes of this machine
    dagy("deploy", f"{path}:endless")
    run_id = dagy("run", "endless", "--param", f"told={told}", "--json").json["run_id"]
    pid = int(dagy.eventually(lambda: told.exists() and told.read_text(), within_s=30))

    dagy("runs", "cancel", run_id, "--remote", "--yes")

    assert dagy.wait_for_end(run_id)["status"] == "CANCELLED"
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "name, body, reason",
    [
        pytest.param("raises", "raise ValueError('bad row 17')", "bad row 17", id="an exception"),
        pytest.param(
            "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed", id="a killed process"
        ),
        pytest.param("exits", "import os; os._exit(3)", "exit", id="a process that exits"),
    ],
)
def test_a_task_that_ends_badly_fails_its_run_with_the_reason(
    dagy: Any, project: Any, name: str, body: str, reason: str
) -> None:
    path = project(
        f"from dagy import flow, task\n\n@task\ndef work():\n    {body}\n\n@flow\ndef {name}():\n    return work()\n"
    )
    dagy("deploy", f"{path}:{name}")

    run = dagy.run_remote(name)

    assert run["status"] == "FAILED"
    assert reason in json.dumps(run["error"]).lower() + json.dumps(run["tasks"]).lower()
    assert dagy("run", name, "--watch", expect=8).code == 8


def test_code_that_fails_to_import_fails_the_run_with_the_traceback_in_its_log(dagy: Any, project: Any) -> None:
    path = project(
        """
        import os
        from dagy import flow, task

        if os.environ.get("DAGY_RUN_ID"):
            raise RuntimeError("not here")

        @task
        def work():
            return 1

        @flow
        def picky():
            return work()
        """
    )
    dagy("deploy", f"{path}:picky")

    run = dagy.run_remote("picky")

    assert run["status"] == "FAILED"
    assert "not here" in run["error"]["message"]
    assert "RuntimeError: not here" in dagy("logs", run["run_id"], "--remote").stdout


def test_nobody_gets_in_without_a_key(dagy: Any, cloud: Any) -> None:
    nobody = {"DAGY_API_KEY": "dgy_000000000000_" + "x" * 43}
    assert "401" in dagy("flows", "list", expect=3, env=nobody).stderr

    made = dagy("keys", "create", "--name", "short-lived", "--role", "viewer", "--json").json
    viewer = {"DAGY_API_KEY": made["key"]}
    assert dagy("flows", "list", env=viewer).code == 0
    assert dagy("run", "weather_report", "--remote", expect=3, env=viewer).code == 3
    dagy("keys", "revoke", made["id"], "--yes")
    assert dagy("flows", "list", expect=3, env=viewer).code == 3


def test_a_schedule_makes_one_run_a_minute_by_itself(dagy: Any) -> None:
    def fired() -> Any:
        runs = dagy("runs", "list", "--remote", "--deployment", "every-minute", "--json").json
        return [run for run in runs if run["status"] == "SUCCEEDED"]

    runs = dagy.eventually(fired, within_s=100)

    assert {(run["trigger"], run["execution_mode"]) for run in runs} == {("schedule", "small")}
    assert all(run["scheduled_at"].endswith(":00.000Z") for run in runs)
    assert len({run["scheduled_at"] for run in runs}) == len(runs)
    dagy("deployments", "pause", "every-minute")
    assert dagy("deployments", "show", "every-minute", "--json").json["status"] == "PAUSED"
