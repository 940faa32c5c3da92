"""dask.delayed on threads. Nothing is recorded."""

from __future__ import annotations

import time

from dask import delayed
from measuring import TEN_MS, Run, main


@delayed
def no_op(x: int) -> int:
    return x


@delayed
def ten_ms(x: int) -> int:
    time.sleep(TEN_MS)
    return x


@delayed
def add_one(x: int) -> int:
    return x + 1


@delayed
def total(numbers: list[int]) -> int:
    return sum(numbers)


def fan(tasks: int, start: int, workers: int) -> Run:
    return lambda: computed(total([no_op(x) for x in range(start, start + tasks)]), workers)


def chain(tasks: int, start: int, workers: int) -> Run:
    def run() -> object:
        x = start
        for _ in range(tasks):
            x = add_one(x)
        return computed(x, workers)

    return run


def waiting(tasks: int, start: int, workers: int) -> Run:
    return lambda: computed(total([ten_ms(x) for x in range(start, start + tasks)]), workers)


def computed(value, workers: int) -> object:
    return value.compute(scheduler="threads", num_workers=workers)


if __name__ == "__main__":
    main({"fan": fan, "chain": chain, "waiting": waiting})
