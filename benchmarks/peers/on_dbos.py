"""DBOS on SQLite: a workflow of steps.

Steps one after another, which is the cheapest way DBOS has: in a queue each would be a workflow of its own. Where tasks
wait, they are `async` steps, as many at a time as there are workers.
"""

from __future__ import annotations

import asyncio

from dbos import DBOS
from measuring import TEN_MS, Run, folder, main


@DBOS.step()
def no_op(x: int) -> int:
    return x


@DBOS.step()
def add_one(x: int) -> int:
    return x + 1


@DBOS.workflow()
def fans(tasks: int, start: int) -> int:
    return sum([no_op(x) for x in range(start, start + tasks)])


@DBOS.workflow()
def chains(tasks: int, start: int) -> int:
    x = start
    for _ in range(tasks):
        x = add_one(x)
    return x


@DBOS.step()
async def ten_ms(x: int, places: asyncio.Semaphore) -> int:
    async with places:
        await asyncio.sleep(TEN_MS)
    return x


@DBOS.workflow()
async def waits(tasks: int, start: int, workers: int) -> int:
    places = asyncio.Semaphore(workers)
    return sum(await asyncio.gather(*(ten_ms(x, places) for x in range(start, start + tasks))))


def fan(tasks: int, start: int, workers: int) -> Run:
    return lambda: fans(tasks, start)


def chain(tasks: int, start: int, workers: int) -> Run:
    return lambda: chains(tasks, start)


def waiting(tasks: int, start: int, workers: int) -> Run:
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(waits(tasks, start, workers))


if __name__ == "__main__":
    DBOS(config={"name": "benchmark", "system_database_url": f"sqlite:///{folder()}/dbos.sqlite", "log_level": "ERROR"})
    DBOS.launch()
    try:
        main({"fan": fan, "chain": chain, "waiting": waiting})
    finally:
        DBOS.destroy()
