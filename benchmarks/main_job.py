"""What the main job costs in time: start-up, synth, provisioning the local cloud, deploying, submit to first task.

    .venv/bin/python benchmarks/main_job.py [--json FILE]

Whole-process times are medians of several runs. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagy_infra.assets import build_assets, host_target

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENTRY_POINTS = {"api": "api", "runtime": "runtime", "control": "runtime", "failures": "runtime"}  # and their zips
FUNCTION = {
    "DAGY_STAGE": "dev", "DAGY_TABLE": "t", "DAGY_BUCKET": "b", "DAGY_TIMER_STATE_MACHINE": "arn",
    "DAGY_RUNTIMES": '{"nano": "n"}', "DAGY_CONTROL_FUNCTION": "itself", "AWS_LAMBDA_FUNCTION_NAME": "f",
}  # fmt: skip
FLOW = "examples/clickstream/flow.py:sessions_by_country"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", type=Path, help="also write the figures there")
    options = arguments.parse_args()

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs; here the first run does
    figures: dict[str, Any] = {"machine": machine()}
    figures |= start_up()
    figures |= zips()
    figures |= entry_points()
    with tempfile.TemporaryDirectory() as home:
        figures |= on_the_local_cloud({**os.environ, "DAGY_LOCAL_DIR": home, "DAGY_PROFILE": "local"})
    for name, value in figures.items():
        print(f"{name:45} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()} {platform.system()}"


def start_up() -> dict[str, str]:
    return {
        "python -c pass": milliseconds(median_s([sys.executable, "-c", "pass"])),
        "dagy --version": milliseconds(median_s([BIN / "dagy", "--version"])),
        "dagy --help": milliseconds(median_s([BIN / "dagy", "--help"])),
        "import dagy (above an empty interpreter)": milliseconds(median_import_s("dagy")),
    }


def entry_points() -> dict[str, str]:
    """From the unpacked zips, with nothing else to import from, as Lambda has them; the first call loads boto3."""
    figures = {}
    target = host_target()
    assets = build_assets(target, folder=ROOT / "build" / "lambda")
    with tempfile.TemporaryDirectory() as scratch:
        for kind, asset in assets.items():
            zipfile.ZipFile(asset.path).extractall(Path(scratch, kind))
        for name, kind in ENTRY_POINTS.items():
            module = f"dagy_runtime.entrypoints.{name}"
            figures[f"import {module}"] = milliseconds(median_import_s(module, folder=Path(scratch, kind)))
    return figures


def zips() -> dict[str, str]:
    subprocess.run([sys.executable, "-m", "dagy_infra.assets"], cwd=ROOT, check=True, capture_output=True)
    synth_s = median_s([sys.executable, "-m", "dagy_infra.app"], times=3)
    found = sorted((ROOT / "build").rglob("*.zip"))
    sizes = {f"zip {path.parent.name}/{path.name}": f"{path.stat().st_size / 2**20:.2f} MiB" for path in found}
    return {**sizes, "synthesis of both stacks": seconds(synth_s)}


def on_the_local_cloud(environ: Mapping[str, str]) -> dict[str, str]:
    def dagy(*words: str) -> str:
        return subprocess.run(
            [BIN / "dagy", *words], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
        ).stdout

    figures = {}
    try:
        figures["dagy local start, first"] = seconds(timed(lambda: dagy("local", "start")))
        figures["dagy deploy, first"] = seconds(timed(lambda: dagy("deploy", FLOW)))
        figures["dagy deploy, unchanged"] = seconds(
            statistics.median(timed(lambda: dagy("deploy", FLOW)) for _ in range(5))
        )
        latencies = [submit_to_first_task_s(dagy) for _ in range(11)][1:]
        figures["submit to first task started, warm"] = milliseconds(statistics.median(latencies))
        figures["dagy local stop"] = seconds(timed(lambda: dagy("local", "stop")))
        figures["dagy local start, again"] = seconds(timed(lambda: dagy("local", "start")))
    finally:
        dagy("local", "stop")
    return figures


def submit_to_first_task_s(dagy: Callable[..., str]) -> float:
    words = ("run", "sessions_by_country", "--param", "partitions=1", "--wait", "--json")
    run = json.loads(dagy("runs", "show", json.loads(dagy(*words))["run_id"], "--remote", "--json"))
    started_at = min(task["started_at"] for task in run["tasks"])
    return (instant(started_at) - instant(run["created_at"])).total_seconds()


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def median_s(command: Sequence[str | Path], *, times: int = 15) -> float:
    def once() -> object:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    once()
    return statistics.median(timed(once) for _ in range(times))


def median_import_s(module: str, *, folder: Path | None = None, times: int = 15) -> float:
    """With `folder`, that and the standard library are all there is to import from."""
    source = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    words = ["-S", "-B"] if folder else []
    environ = {**os.environ, **FUNCTION, "PYTHONPATH": str(folder)} if folder else None

    def once() -> float:
        done = subprocess.run(
            [sys.executable, *words, "-c", source], env=environ, check=True, capture_output=True, text=True
        )
        return float(done.stdout)

    once()
    return statistics.median(once() for _ in range(times))


def milliseconds(value_s: float) -> str:
    return f"{value_s * 1000:.0f} ms"


def seconds(value_s: float) -> str:
    return f"{value_s:.2f} s"


if __name__ == "__main__":
    main()
