"""Dagster in process, its instance on SQLite. One op at a time: side by side, it runs each in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dagster import DagsterInstance, DynamicOut, DynamicOutput, JobDefinition, job, op
from measuring import TEN_MS, Run, folder, main


@op(out=DynamicOut(int), config_schema={"tasks": int, "start": int})
def numbers(context) -> Iterator[DynamicOutput[int]]:
    start = context.op_config["start"]
    for x in range(start, start + context.op_config["tasks"]):
        yield DynamicOutput(x, mapping_key=str(x))


@op(config_schema={"start": int})
def first(context) -> int:
    return context.op_config["start"]


@op
def no_op(x: int) -> int:
    return x


@op
def ten_ms(x: int) -> int:
    time.sleep(TEN_MS)
    return x


@op
def add_one(x: int) -> int:
    return x + 1


@op
def total(values: list[int]) -> int:
    return sum(values)


@job
def fans() -> None:
    total(numbers().map(no_op).collect())


@job
def waits() -> None:
    total(numbers().map(ten_ms).collect())


def chain_of(tasks: int) -> JobDefinition:
    @job
    def chains() -> None:
        x = first()
        for n in range(tasks):
            x = add_one.alias(f"add_one_{n}")(x)

    return chains


def run_of(work: JobDefinition, last: str, config: dict[str, dict[str, int]]) -> Run:
    ops = {name: {"config": values} for name, values in config.items()}

    def run() -> object:
        return work.execute_in_process(run_config={"ops": ops}, instance=instance).output_for_node(last)

    return run


if __name__ == "__main__":
    instance = DagsterInstance.local_temp(str(folder()))
    main(
        {
            "fan": lambda tasks, start, _: run_of(fans, "total", {"numbers": {"tasks": tasks, "start": start}}),
            "chain": lambda tasks, start, _: run_of(
                chain_of(tasks), f"add_one_{tasks - 1}", {"first": {"start": start}}
            ),
            "waiting": lambda tasks, start, _: run_of(waits, "total", {"numbers": {"tasks": tasks, "start": start}}),
        }
    )
