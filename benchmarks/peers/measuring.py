"""What every program here shares: three pieces of work, a warm-up of the same kind, a clock around the real one.

A program is started with `<shape> <tasks> <workers> <folder>` in the environment of its system, and prints one line of
JSON. It gives a function for each shape: `prepare(tasks, start, workers)` does what an author does once (define, plan
where the system wants that in advance) and returns the run itself, which is timed and gives the answer. Numbers begin
at `start`, so that what a system remembers of the warm-up is of no use later.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

TEN_MS = 0.01
_WARM_UP_TASKS = 10
_WARM_UP_START = 1_000_000

Run = Callable[[], object]
Prepare = Callable[[int, int, int], Run]
"""`prepare(tasks, start, workers)`"""


def folder() -> Path:
    """Where this process may write."""
    return Path(sys.argv[4])


def main(works: Mapping[str, Prepare]) -> None:
    """`works` by shape: `fan` gives the sum of the numbers from `start` on, `chain` adds one in each task, `waiting`
    is `fan` of tasks that take 10 ms.
    """
    shape, tasks, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    prepare = works[shape]
    prepare(_WARM_UP_TASKS, _WARM_UP_START, workers)()
    run = prepare(tasks, 0, workers)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    answer = run()
    took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    expected = tasks if shape == "chain" else sum(range(tasks))
    assert answer == expected, f"{answer!r} is not {expected}"
    print(json.dumps({"s": took_s, "cpu_s": took_cpu_s, "peak_mib": _peak_mib()}), flush=True)


def _peak_mib() -> float:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20
