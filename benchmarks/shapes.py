"""The large shapes a flow may have, through the real engine on the memory adapters: do they come to their right end?

    .venv/bin/python benchmarks/shapes.py

The simulation's kernel with no faults, its invariants watched; only the children are played. Seconds are of the
simulation's clock (a request takes 10 ms, a message 0.25 s, on average, and functions are never short); the last column
is what the simulation itself took. About three minutes.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from simulation import references  # noqa: E402
from simulation.children import Shape  # noqa: E402
from simulation.kernel import NONE  # noqa: E402
from simulation.stories import Story, Telling  # noqa: E402

TASK_S = 0.1
SHAPES = {
    "a chain of 1,000": references.chain(1_000),
    "a fan-out of 10,000": references.fan_out(10_000),
    "a fan-in of 10,000": references.fan_in(10_000),
    "a join of 5,000 parents, from one root": references.diamond(5_000),
    "a lattice of 100 by 100": references.lattice(100, 100),
    **{f"a DAG of chance, {size} tasks": references.random_dag(size, size) for size in (50, 150, 300, 500)},
}


def main() -> None:
    logging.disable(logging.CRITICAL)
    print("| shape | tasks | edges | invocations | of these releasing | the slowest start | ended | took |")
    print("|---|---|---|---|---|---|---|---|")
    for name, parents in SHAPES.items():
        began = time.perf_counter()
        telling = Telling(1, Story(Shape(parents, dict.fromkeys(parents, TASK_S), {}), NONE))
        found = telling.violations()
        if found:
            raise SystemExit(f"{name}: {found[:5]}")
        print(_row(name, parents, telling, time.perf_counter() - began), flush=True)


def _row(name: str, parents: dict[str, tuple[str, ...]], telling: Telling, took_s: float) -> str:
    """`slowest`: from when a task was ready to its code; of a root, from when the run was submitted."""
    starts = {start.task: start for start in telling.workshop.started}
    slowest = max(start.at - start.ready_at for start in starts.values() if start.ready_at or not parents[start.task])
    ended = max(start.ended_at or 0.0 for start in starts.values())
    answers = telling.kernel.answers
    return (
        f"| {name} | {len(parents):,} | {sum(map(len, parents.values())):,} | {sum(answers.values()):,} "
        f"| {answers['Released']:,} | {slowest:.1f} s | {ended:.1f} s | {took_s:.0f} s |"
    )


if __name__ == "__main__":
    main()
