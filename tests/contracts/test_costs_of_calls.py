"""What lists cost in DynamoDB's units: a page costs the same wherever it is, and no page reads a whole list."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, MOST_LOOKED_AT
from dagy_runtime.ports import RunFilter
from dagy_runtime.values import Trigger

Units = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "metering.py"))["Units"]

pytestmark = pytest.mark.parametrize("world_factory", ["moto"], indirect=True)


@pytest.fixture
def units(world: Any) -> Iterator[Any]:
    client = Clients({"AWS_REGION": "us-east-1"}).get("dynamodb")
    counted = Units()
    counted.watch(client)
    yield counted
    counted.unwatch(client)


def test_the_last_page_costs_what_the_first_does(world: Any, make: Any, units: Any) -> None:
    for number in range(60):
        world.registry.put_flow(make.flow(f"flow-{number:04d}"))
    costs, cursor = [], None
    while not costs or cursor:
        units.take()
        page = world.registry.list_flows(limit=10, cursor=cursor)
        costs.append(units.take())
        cursor = page.cursor
    assert len(costs) == 6 and len(set(costs[:-1])) == 1
    assert costs[-1][0] <= costs[0][0] and costs[0][2] == 1


def test_a_filter_that_matches_nothing_reads_a_bounded_part_of_the_list(world: Any, make: Any, units: Any) -> None:
    runs = [make.run(f"r-{number:05d}", seconds=number) for number in range(MOST_LOOKED_AT + 100)]
    world.runs._table.put_batch((schema.run_key(run.id), world.runs._run_items.of_run(run)) for run in runs)
    units.take()
    where = RunFilter(trigger=Trigger.SCHEDULE)
    page = world.runs.list_runs(limit=10, where=where)
    assert page.items == () and page.cursor is not None
    assert units.take()[2] <= MOST_LOOKED_AT // FILTERED_PAGE_SIZE + 1
    rest = world.runs.list_runs(limit=10, cursor=page.cursor, where=where)
    assert rest.items == () and rest.cursor is None
