"""Prefect with the server it starts by itself, on SQLite, tasks on threads. The start of the server is not counted."""

from __future__ import annotations

import time

from measuring import TEN_MS, Run, main
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task
def no_op(x: int) -> int:
    return x


@task
def ten_ms(x: int) -> int:
    time.sleep(TEN_MS)
    return x


@task
def add_one(x: int) -> int:
    return x + 1


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def fans(tasks: int, start: int) -> int:
    return total([no_op.submit(x) for x in range(start, start + tasks)])


def chains(tasks: int, start: int) -> int:
    x = start
    for _ in range(tasks):
        x = add_one(x)
    return x


def waits(tasks: int, start: int) -> int:
    return total([ten_ms.submit(x) for x in range(start, start + tasks)])


def run_of(body, tasks: int, start: int, workers: int) -> Run:
    made = flow(body, task_runner=ThreadPoolTaskRunner(max_workers=workers))
    return lambda: made(tasks, start)


if __name__ == "__main__":
    main(
        {
            "fan": lambda *args: run_of(fans, *args),
            "chain": lambda *args: run_of(chains, *args),
            "waiting": lambda *args: run_of(waits, *args),
        }
    )
