"""Dagy: `run_local`, with its records, logs, results and database."""

from __future__ import annotations

import os
import time

from measuring import TEN_MS, Run, folder, main

from dagy import Flow, flow, task


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
def total(numbers: list) -> int:
    return sum(numbers)


@flow
def fans(tasks: int, start: int):
    return total([no_op(x) for x in range(start, start + tasks)])


@flow
def chains(tasks: int, start: int):
    x = start
    for _ in range(tasks):
        x = add_one(x)
    return x


@flow
def waits(tasks: int, start: int):
    return total([ten_ms(x) for x in range(start, start + tasks)])


def run_of(flow: Flow, tasks: int, start: int, workers: int) -> Run:
    return lambda: flow.run_local(tasks, start, max_workers=workers).result


if __name__ == "__main__":
    os.environ["DAGY_LOCAL_DIR"] = str(folder())
    main(
        {
            "fan": lambda *args: run_of(fans, *args),
            "chain": lambda *args: run_of(chains, *args),
            "waiting": lambda *args: run_of(waits, *args),
        }
    )
