"""No system at all: a thread pool, nothing recorded. The floor."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from measuring import TEN_MS, Run, main


def no_op(x: int) -> int:
    return x


def ten_ms(x: int) -> int:
    time.sleep(TEN_MS)
    return x


def add_one(x: int) -> int:
    return x + 1


def fan(tasks: int, start: int, workers: int) -> Run:
    def run() -> int:
        with ThreadPoolExecutor(workers) as pool:
            return sum(pool.map(no_op, range(start, start + tasks)))

    return run


def chain(tasks: int, start: int, workers: int) -> Run:
    def run() -> int:
        x = start
        with ThreadPoolExecutor(workers) as pool:
            for _ in range(tasks):
                x = pool.submit(add_one, x).result()
        return x

    return run


def waiting(tasks: int, start: int, workers: int) -> Run:
    def run() -> int:
        with ThreadPoolExecutor(workers) as pool:
            return sum(pool.map(ten_ms, range(start, start + tasks)))

    return run


if __name__ == "__main__":
    main({"fan": fan, "chain": chain, "waiting": waiting})
