"""What isolation costs: the same flows with every task in its own invocation, in one invocation, and on this machine.

    .venv/bin/python benchmarks/isolation.py

A fan-out of 60 tasks and a chain of 20, none of which does anything: how long the run took, tasks per second, and the
median time from when a task's last parent had ended to its own start. The local cloud's functions are processes of this
machine (as many as its cores can feed), so this compares ways of running, and says little of AWS. About two minutes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DAGY = Path(sys.executable).parent / "dagy"
FLOW = """
from dagy import flow, task

@task
def step(x: int = 0) -> int:
    return x + 1

@task
def total(xs: list[int]) -> int:
    return sum(xs)

@flow
def wide(n: int = 60):
    return total([step(i) for i in range(n)])

@flow
def deep(n: int = 20):
    x = 0
    for _ in range(n):
        x = step(x)
    return x
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as home, cloud(Path(home)) as dagy:
        (Path(home) / "flow.py").write_text(FLOW)
        print("| flow | where | took | tasks per second | ready to started, median | p90 |")
        print("|---|---|---|---|---|---|")
        for flow in ("wide", "deep"):
            target = f"{home}/flow.py:{flow}"
            for name, mode in (("apart", "task-isolated"), ("together", "in-process")):
                dagy("deploy", target, "--deployment", f"{flow}-{name}", "--execution-mode", mode)
            for where, words in (
                ("task-isolated, local cloud", ("run", f"{flow}-apart", "--remote", "--wait")),
                ("in-process, local cloud", ("run", f"{flow}-together", "--remote", "--wait")),
                ("local runner", ("run", target, "--local")),
            ):
                runs = [shown(dagy, words) for _ in range(4)][1:]
                print(row(flow, where, min(runs, key=took_s)), flush=True)


def shown(dagy: Any, words: tuple[str, ...]) -> dict[str, Any]:
    run_id = json.loads(dagy(*words, "--json"))["run_id"]
    place = ("--remote",) if "--remote" in words else ("--local",)
    run: dict[str, Any] = json.loads(dagy("runs", "show", run_id, *place, "--json"))
    if run["status"] != "SUCCEEDED":
        raise SystemExit(f"{words}: {run['status']} {run.get('error')}")
    return run


def row(flow: str, where: str, run: dict[str, Any]) -> str:
    waits = sorted(waits_s(run))
    took = took_s(run)
    p90 = waits[int(len(waits) * 0.9)]
    return (
        f"| {flow}, {len(run['tasks'])} tasks | {where} | {took:.2f} s | {len(run['tasks']) / took:.1f} "
        f"| {statistics.median(waits) * 1000:.0f} ms | {p90 * 1000:.0f} ms |"
    )


def took_s(run: dict[str, Any]) -> float:
    return (instant(run["ended_at"]) - instant(run.get("created_at") or run["started_at"])).total_seconds()


def waits_s(run: dict[str, Any]) -> Iterator[float]:
    ended = {task["task_run_id"]: instant(task["ended_at"]) for task in run["tasks"]}
    for task in run["tasks"]:
        ready = max((ended[parent] for parent in task["depends_on"]), default=instant(run["started_at"]))
        yield (instant(task["started_at"]) - ready).total_seconds()


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


@contextmanager
def cloud(home: Path) -> Iterator[Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAGY_", "AWS_", "PYTHONDONT"))}
    environ = {**kept, "DAGY_LOCAL_DIR": str(home / "dagy"), "NO_COLOR": "1"}

    def dagy(*words: str) -> str:
        done = subprocess.run([DAGY, *words], cwd=home, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"dagy {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    dagy("local", "start")
    try:
        yield dagy
    finally:
        dagy("local", "stop")


if __name__ == "__main__":
    main()
