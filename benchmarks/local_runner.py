"""What a recorded task costs locally: `python benchmarks/local_runner.py [--repeat N]`.

Each shape runs in a process of its own, in a fresh DAGY_LOCAL_DIR on the disk of the temporary directory. Counted is
everything between calling `run_local` and having its answer: tracing, running, results, logs, journal, the files of
every task, the database. The best of the repeats is shown: the others measure the machine's other work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time

SHAPES = {
    "fan-out 1,000 and sum, 4 workers": ("fan", 1_000, 4),
    "chain of 500": ("chain", 500, 4),
    "fan-out 10,000 and sum, 4 workers": ("fan", 10_000, 4),
}


def measure(shape: str, size: int, workers: int) -> dict[str, float]:
    """In this process."""
    import duckdb  # noqa: F401 - its import is paid once per process, not per task

    from dagy import flow, task

    @task
    def no_op(x: int) -> int:
        return x

    @task
    def total(numbers: list) -> int:
        return sum(numbers)

    @flow
    def fan(n: int):
        return total([no_op(x) for x in range(n)])

    @flow
    def chain(n: int):
        x = 0
        for _ in range(n):
            x = no_op(x)
        return x

    flows = {"fan": fan, "chain": chain}
    flows[shape].run_local(10, max_workers=workers)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    ran = flows[shape].run_local(size, max_workers=workers)
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    assert ran.result == (sum(range(size)) if shape == "fan" else 0)
    scale = 1 if sys.platform == "darwin" else 1024
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20
    return {"wall_ms": wall_s / size * 1e3, "cpu_ms": cpu_s / size * 1e3, "peak_mib": peak_mib}


def measure_apart(shape: str, size: int, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, __file__, "--one", shape, str(size), str(workers)],
            env={**os.environ, "DAGY_LOCAL_DIR": home},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        shape, size, workers = arguments.one
        print(json.dumps(measure(shape, int(size), int(workers))))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':36}{'ms per task':>12}{'CPU ms':>10}{'peak MiB':>10}")
    for name, (shape, size, workers) in SHAPES.items():
        best = min((measure_apart(shape, size, workers) for _ in range(arguments.repeat)), key=lambda m: m["wall_ms"])
        print(f"{name:36}{best['wall_ms']:>12.3f}{best['cpu_ms']:>10.3f}{best['peak_mib']:>10.0f}")


if __name__ == "__main__":
    main()
