"""Deployments whose tasks are isolated, through the command line, on the local cloud: every task its own invocation."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.local_cloud

ISOLATED = ("--execution-mode", "task-isolated")

DIAMOND = """
    import os
    from dagy import flow, task

    @task
    def numbers(n: int) -> list[int]:
        print(f"counting to {n}")
        return list(range(n))

    @task
    def doubled(numbers: list[int]) -> list[int]:
        print(f"doubling {len(numbers)}")
        return [2 * n for n in numbers]

    @task(retries=1)
    def squared(numbers: list[int], marks: str) -> list[int]:
        mark = os.path.join(marks, "tried")
        if not os.path.exists(mark):
            open(mark, "w").close()
            raise ConnectionError("not yet")
        return [n * n for n in numbers]

    @task
    def total(left: list[int], right: list[int]) -> int:
        return sum(left) + sum(right)

    @flow
    def diamond(marks: str, n: int = 4):
        known = numbers(n)
        return {"total": total(doubled(known), squared(known, marks)), "n": n}
"""


def events_by_task(dagy: Any, run_id: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for event in dagy("runs", "events", run_id, "--remote", "--json").json:
        told.setdefault(event["task_run_id"] or "", []).append(event["type"])
    return told


def test_a_diamond_gives_its_result_logs_and_events(dagy: Any, project: Any, tmp_path: Path) -> None:
    dagy("deploy", f"{project(DIAMOND)}:diamond", *ISOLATED)
    marks = tmp_path / "marks"
    marks.mkdir()

    run = dagy.run_remote("diamond", "--param", f"marks={marks}")

    assert run["status"] == "SUCCEEDED", run
    assert run["isolation"] == "task-isolated"
    assert run["result"] == {"total": 26, "n": 4}
    assert {task["task_run_id"]: (task["status"], task["attempt"]) for task in run["tasks"]} == {
        "numbers-1": ("SUCCEEDED", 1),
        "doubled-1": ("SUCCEEDED", 1),
        "squared-1": ("SUCCEEDED", 2),
        "total-1": ("SUCCEEDED", 1),
    }
    assert "counting to 4" in dagy("logs", run["run_id"], "--remote").stdout
    assert dagy("logs", run["run_id"], "--remote", "--task", "doubled-1").stdout.count("doubling 4") == 1
    told = events_by_task(dagy, run["run_id"])
    assert [type for type in told[""] if type.startswith("run_")] == ["run_started", "run_resumed", "run_succeeded"]
    assert told["squared-1"] == ["task_started", "task_retrying", "task_started", "task_succeeded"]
    assert told["total-1"] == ["task_started", "task_succeeded"]


def test_a_failing_task_ends_the_run_with_its_reason_and_what_waited_for_it_never_runs(dagy: Any, project: Any) -> None:
    path = project(
        """
        from dagy import flow, task

        @task
        def broken():
            raise ValueError("bad row 17")

        @task
        def after(rows):
            return rows

        @flow
        def doomed():
            return after(after(broken()))
        """
    )
    dagy("deploy", f"{path}:doomed", *ISOLATED)

    run = dagy.run_remote("doomed")

    assert run["status"] == "FAILED"
    assert "bad row 17" in run["error"]["message"]
    assert {task["task_run_id"]: task["status"] for task in run["tasks"]} == {
        "broken-1": "FAILED",
        "after-1": "CANCELLED",
        "after-2": "CANCELLED",
    }
    assert "ValueError: bad row 17" in dagy("logs", run["run_id"], "--remote").stdout


def test_a_cancel_kills_what_runs_and_starts_nothing_more(dagy: Any, project: Any, tmp_path: Path) -> None:
    path = project(
        """
        import os, time
        from pathlib import Path
        from dagy import flow, task

        @task
        def forever(told: str):
            Path(told).write_text(str(os.getpid()))
            time.sleep(600)

        @task
        def never(x):
            return x

        @flow
        def endless_apart(told: str):
            return never(forever(told))
        """
    )
    told = tmp_path / "pid"  # the local cloud's functions are processes of this machine
    dagy("deploy", f"{path}:endless_apart", *ISOLATED)
    run_id = dagy("run", "endless_apart", "--param", f"told={told}", "--json").json["run_id"]
    pid = int(dagy.eventually(lambda: told.exists() and told.read_text(), within_s=30))

    dagy("runs", "cancel", run_id, "--remote", "--yes")

    run = dagy.wait_for_end(run_id)
    assert run["status"] == "CANCELLED"
    assert {task["status"] for task in run["tasks"]} == {"CANCELLED"}
    assert dagy.eventually(lambda: not Path(f"/proc/{pid}").exists(), within_s=30)


def test_limits_hold_and_a_retry_keeps_what_was_done(dagy: Any, project: Any, tmp_path: Path) -> None:
    """Three runs, one at a time; in each, four tasks, two at a time; the last step fails until it is allowed."""
    path = project(
        """
        import os, time
        from pathlib import Path
        from dagy import flow, task

        @task(concurrency_limit=2)
        def step(notes: str, n: int) -> int:
            mark = Path(notes, f"running-{os.environ['DAGY_RUN_ID']}-{n}")
            mark.touch()
            seen = len(list(Path(notes).glob("running-*")))
            time.sleep(0.3)
            mark.unlink()
            Path(notes, f"ran-{os.environ['DAGY_RUN_ID']}-{n}").write_text(str(seen))
            return n

        @task
        def total(notes: str, numbers: list[int]) -> int:
            if not Path(notes, "ok").exists():
                raise ConnectionError("not yet")
            return sum(numbers)

        @flow
        def limited(notes: str):
            return total(notes, [step(notes, n) for n in range(4)])
        """
    )
    notes = tmp_path / "notes"
    notes.mkdir()
    dagy("deploy", f"{path}:limited", *ISOLATED, "--max-concurrent-runs", "1")
    started = [dagy("run", "limited", "--param", f"notes={notes}", "--json").json["run_id"] for _ in range(3)]

    runs = [dagy.wait_for_end(run_id) for run_id in started]

    assert [run["status"] for run in runs] == ["FAILED"] * 3
    assert [run["started_at"] for run in runs] == sorted(run["started_at"] for run in runs)
    assert all(later["started_at"] >= earlier["ended_at"] for earlier, later in pairwise(runs))
    assert {int(file.read_text()) for file in notes.glob("ran-*")} <= {1, 2}
    for file in notes.glob("ran-*"):
        file.unlink()

    (notes / "ok").touch()
    said = dagy("runs", "retry", started[0], "--from-failed", "--wait", "--json")

    assert "step-1 to step-4 (4) kept" in said.stderr and "total-1 runs again: it failed" in said.stderr
    again = dagy.show(said.json["run_id"])
    assert (again["status"], again["result"], again["retry_of"]) == ("SUCCEEDED", 6, started[0])
    assert list(notes.glob("ran-*")) == []


WIDE = """
    import os, time
    from dagy import flow, task

    @task
    def whose(n: int) -> int:
        time.sleep(0.1)
        return os.getppid()

    @task
    def several(processes: list[int]) -> int:
        return len(set(processes))

    @flow
    def wide(n: int = 40):
        return several([whose(i) for i in range(n)])
"""


def test_a_flow_wider_than_this_machine_waits_its_turn_and_no_process_is_started_for_each_task(
    dagy: Any, project: Any
) -> None:
    dagy("deploy", f"{project(WIDE)}:wide", *ISOLATED)

    run = dagy.run_remote("wide")

    assert run["status"] == "SUCCEEDED", run
    assert 1 < run["result"] <= max(16, 8 * (os.cpu_count() or 1))
