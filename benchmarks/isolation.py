"""What isolation costs: the same flows with every task in its own invocation, in one invocation, and on this machine.

    .venv/bin/python benchmarks/isolation.py
    .venv/bin/python benchmarks/isolation.py --large [--home FOLDER]
    .venv/bin/python benchmarks/isolation.py --executors [--home FOLDER]

A fan-out of 60 tasks and a chain of 20, none of which does anything: how long the run took, tasks per second, and the
median time from when a task's last parent had ended to its own start. The local cloud's functions are processes of this
machine (as many as its cores can feed), so this compares ways of running, and says little of AWS. About two minutes.

`--large`: a chain of 1,000 and a fan-out of 500 with its sum, every task in its own invocation, IAM
enforced. Two minutes, and nine at most. `--executors`: the chain of 20 by each executor, twice, of which the second is
told. A minute and a half.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
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


LARGE = {"deep": 1000, "wide": 500}
MOST_S = 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--executors", action="store_true")
    parser.add_argument("--home", type=Path, help="keep the emulator here: the next start takes seconds")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and the cloud is stopped
    is_large: bool = options.large
    with (
        nullcontext(str(options.home)) if options.home else tempfile.TemporaryDirectory() as home,
        cloud(Path(home), enforces_iam=is_large) as dagy,
    ):
        (Path(home) / "flow.py").write_text(FLOW)
        print("| flow | where | took | tasks per second | ready to started, median | p90 |")
        print("|---|---|---|---|---|---|")
        if is_large:
            print_large(dagy, home)
            return
        if options.executors:
            print_executors(dagy, home)
            return
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


def print_large(dagy: Any, home: str) -> None:
    for flow, size in LARGE.items():
        dagy("deploy", f"{home}/flow.py:{flow}", "--deployment", flow, "--execution-mode", "task-isolated")
        run_id = json.loads(dagy("run", flow, "--remote", "--param", f"n={size}", "--json"))["run_id"]
        run = ended(dagy, run_id)
        result = json.loads(dagy("runs", "result", run_id, "--remote"))
        if result != {"wide": size * (size + 1) // 2, "deep": size}[flow]:
            raise SystemExit(f"{flow} gave {result}")
        print(row(flow, "task-isolated, local cloud, IAM enforced", run), flush=True)


def print_executors(dagy: Any, home: str) -> None:
    for executor in ("lambda", "step-functions", "ecs"):
        name, how = f"deep-{executor}", ("--execution-mode", "task-isolated", "--default-executor", executor)
        dagy("deploy", f"{home}/flow.py:deep", "--deployment", name, *how)
        runs = [shown(dagy, ("run", name, "--remote", "--wait")) for _ in range(2)]
        print(row("deep", f"task-isolated by `{executor}`, local cloud", runs[1]), flush=True)


def ended(dagy: Any, run_id: str) -> dict[str, Any]:
    """Asked seldom, so as not to be measured. While hundreds of functions start on two cores, it may not answer."""
    deadline = time.monotonic() + MOST_S
    while time.monotonic() < deadline:
        time.sleep(10)
        with suppress(SystemExit):
            run: dict[str, Any] = json.loads(dagy("runs", "show", run_id, "--remote", "--json"))
            if run["status"] == "SUCCEEDED":
                return run
    raise SystemExit(f"{run_id} did not succeed within {MOST_S} s")


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
def cloud(home: Path, *, enforces_iam: bool) -> Iterator[Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAGY_", "AWS_", "PYTHONDONT"))}
    environ = {**kept, "DAGY_LOCAL_DIR": str(home / "dagy"), "NO_COLOR": "1"}

    def dagy(*words: str) -> str:
        done = subprocess.run([DAGY, *words], cwd=home, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"dagy {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    dagy("local", "start", *(["--iam"] if enforces_iam else []))
    try:
        yield dagy
    finally:
        dagy("local", "stop")


if __name__ == "__main__":
    main()
