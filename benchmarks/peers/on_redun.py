"""redun on SQLite, tasks on threads."""

from __future__ import annotations

import os
import time

from measuring import TEN_MS, Run, folder, main
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "benchmark"


@task()
def no_op(x: int) -> int:
    return x


@task()
def ten_ms(x: int) -> int:
    time.sleep(TEN_MS)
    return x


@task()
def add_one(x: int) -> int:
    return x + 1


@task()
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task()
def fans(tasks: int, start: int) -> int:
    return total([no_op(x) for x in range(start, start + tasks)])


@task()
def chains(tasks: int, start: int) -> int:
    x = start
    for _ in range(tasks):
        x = add_one(x)
    return x


@task()
def waits(tasks: int, start: int) -> int:
    return total([ten_ms(x) for x in range(start, start + tasks)])


def run_of(work, tasks: int, start: int, workers: int) -> Run:
    scheduler = scheduler_of(workers)
    return lambda: scheduler.run(work(tasks, start))


def scheduler_of(workers: int) -> Scheduler:
    config = {
        "backend": {"db_uri": f"sqlite:///{folder()}/redun.db"},
        "executors.default": {"type": "local", "max_workers": str(workers)},
        "scheduler": {"job_status_interval": "0"},
    }
    scheduler = Scheduler(config=Config(config))
    scheduler.load()
    return scheduler


if __name__ == "__main__":
    os.chdir(folder())
    main(
        {
            "fan": lambda *args: run_of(fans, *args),
            "chain": lambda *args: run_of(chains, *args),
            "waiting": lambda *args: run_of(waits, *args),
        }
    )
