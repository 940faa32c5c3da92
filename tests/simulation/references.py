"""Forty flows of every shape that matters, each told once for every operation at which something can go wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from .children import Shape
from .kernel import NONE
from .stories import Story

SINGLE_FAULTS: Final = ("crash", "crash_after", "unavailable", "reply_lost", "repeated")
"""What may happen to one operation: the function dies before or after it, it is refused (throttled, say), its reply is
lost, or the AWS library has repeated it.
"""


def chain(length: int) -> dict[str, tuple[str, ...]]:
    return {f"c-{n}": (f"c-{n - 1}",) if n else () for n in range(length)}


def fan_out(width: int) -> dict[str, tuple[str, ...]]:
    return {"root-0": (), **{f"leaf-{n}": ("root-0",) for n in range(width)}}


def fan_in(width: int) -> dict[str, tuple[str, ...]]:
    parents = {f"leaf-{n}": () for n in range(width)}
    return {**parents, "sum-0": tuple(parents)}


def diamond(width: int) -> dict[str, tuple[str, ...]]:
    """One, then `width`, then one."""
    middle = {f"mid-{n}": ("root-0",) for n in range(width)}
    return {"root-0": (), **middle, "sum-0": tuple(middle)}


def lattice(rows: int, columns: int) -> dict[str, tuple[str, ...]]:
    """Each task waits for the one above it and the one to its left."""
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    return {
        f"l-{row * columns + column}": tuple(
            f"l-{above * columns + left}"
            for above, left in ((row - 1, column), (row, column - 1))
            if above >= 0 and left >= 0
        )
        for row, column in cells
    }


def random_dag(size: int, seed: int, *, most_parents: int = 4) -> dict[str, tuple[str, ...]]:
    chance = random.Random(seed)
    parents: dict[str, tuple[str, ...]] = {}
    for number in range(size):
        known = list(parents)
        count = chance.randint(0, min(len(known), most_parents))
        parents[f"t-{number}"] = tuple(sorted(chance.sample(known, count)))
    return parents


def _shape(parents: dict[str, tuple[str, ...]], **more: object) -> Shape:
    return Shape(parents, dict.fromkeys(parents, 0.5), more.pop("failures", {}), **more)  # type: ignore[arg-type]


def _stories() -> Iterator[tuple[str, Story]]:
    for length in (1, 2, 3, 5, 8):
        yield f"a chain of {length}", Story(_shape(chain(length)), NONE)
    for width in (2, 5, 9):
        yield f"a fan-out of {width}", Story(_shape(fan_out(width)), NONE)
        yield f"a fan-in of {width}", Story(_shape(fan_in(width)), NONE)
        yield f"a diamond of {width}", Story(_shape(diamond(width)), NONE)
    for rows, columns in ((2, 2), (3, 3), (2, 5)):
        yield f"a lattice of {rows} by {columns}", Story(_shape(lattice(rows, columns)), NONE)
    for seed in range(6):
        yield f"a DAG of chance, number {seed}", Story(_shape(random_dag(4 + seed, seed)), NONE)
    for fail_fast in (True, False):
        word = "ends the run" if fail_fast else "spoils what follows"
        yield f"a task in a chain that {word}", Story(_shape(chain(4), failures={"c-1": -1}), NONE, fail_fast)
        yield f"a leaf that {word}", Story(_shape(fan_out(4), failures={"leaf-2": -1}), NONE, fail_fast)
        yield f"a parent of a join that {word}", Story(_shape(diamond(3), failures={"mid-1": -1}), NONE, fail_fast)
        cells = lattice(3, 3)
        yield (
            f"a cell that {word}, and a retry",
            Story(_shape(cells, failures={"l-4": -1}), NONE, fail_fast, again=_shape(cells)),
        )
    retried = {"mid-1": 1, "sum-0": 2}
    yield "short retries", Story(_shape(diamond(3), failures=retried, retry_delay_s=1.0), NONE)
    yield "long retries", Story(_shape(diamond(3), failures=retried, retry_delay_s=30.0), NONE)
    yield "a retry that fails at last", Story(_shape(chain(3), failures={"c-1": -1}, retry_delay_s=30.0), NONE, False)
    large = frozenset({"root-0", "mid-1"})
    yield "results too large for the table", Story(_shape(diamond(3), large=large), NONE)
    slow = _shape(diamond(3))
    slow.seconds.update({"mid-0": 40.0, "mid-1": 12.0})
    yield "tasks that outlive their leases", Story(slow, NONE)
    yield "a cancel while tasks run, and a retry", Story(slow, NONE, cancel_at_s=5.0, again=slow)
    yield (
        "a cancel while a retry waits",
        Story(_shape(chain(3), failures={"c-1": 1}, retry_delay_s=30.0), NONE, cancel_at_s=10.0),
    )
    yield "a cancel before anything runs", Story(_shape(chain(3)), NONE, cancel_at_s=0.3)
    yield "a join in two levels, released through spawners", Story(_shape(diamond(66)), NONE)


REFERENCES: Final = dict(_stories())
WIDE: Final = "a join in two levels, released through spawners"
