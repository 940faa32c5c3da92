"""Luigi with its local scheduler: a task leaves its result in a file, as its users do it.

One worker for tasks that do nothing: with more, Luigi forks a process for each task, which takes several times as long.
"""

from __future__ import annotations

import os
import time

import luigi
from measuring import TEN_MS, folder, main


class Number(luigi.Task):
    x = luigi.IntParameter()

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{folder()}/{type(self).__name__}-{self.x}")

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(str(self.x))


class TenMs(Number):
    def run(self) -> None:
        time.sleep(TEN_MS)
        super().run()


class Total(luigi.Task):
    tasks = luigi.IntParameter()
    start = luigi.IntParameter()
    number = Number

    def requires(self) -> list[luigi.Task]:
        return [self.number(x) for x in range(self.start, self.start + self.tasks)]

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{folder()}/{type(self).__name__}-{self.start}")

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(str(sum(read(target) for target in self.input())))


class TotalOfWaiting(Total):
    number = TenMs


class AddOne(luigi.Task):
    tasks = luigi.IntParameter()
    start = luigi.IntParameter()

    def requires(self) -> list[luigi.Task]:
        return [AddOne(self.tasks - 1, self.start)] if self.tasks > 1 else []

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{folder()}/{type(self).__name__}-{self.start}-{self.tasks}")

    def run(self) -> None:
        before = read(self.input()[0]) if self.input() else self.start
        with self.output().open("w") as file:
            file.write(str(before + 1))


def read(target: luigi.LocalTarget) -> int:
    with target.open() as file:
        return int(file.read())


def built(task: luigi.Task, workers: int) -> int:
    assert luigi.build([task], local_scheduler=True, workers=workers, log_level="WARNING")
    return read(task.output())


if __name__ == "__main__":
    os.chdir(folder())
    main(
        {
            "fan": lambda tasks, start, workers: lambda: built(Total(tasks, start), 1),
            "chain": lambda tasks, start, workers: lambda: built(AddOne(tasks, start), 1),
            "waiting": lambda tasks, start, workers: lambda: built(TotalOfWaiting(tasks, start), workers),
        }
    )
