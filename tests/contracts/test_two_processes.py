"""Each process has a store of its own over the same table, and remembers what it read of a run's task list."""

from __future__ import annotations

import pytest

from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.runs import DynamoRunStore
from dagy_runtime.ports import RunStore

pytestmark = pytest.mark.parametrize("world_factory", ["moto"], indirect=True)


@pytest.fixture
def another(world) -> RunStore:
    return DynamoRunStore(world.runs._table, Packing(world.blobs))


def test_what_one_adds_to_a_list_that_the_other_has_read_is_seen_by_it(world, make, another):
    first, second, third = (make.task("one", position) for position in range(3))
    world.runs.put_tasks("one", [first])
    assert another.list_tasks("one", limit=9).items == (first,)
    another.put_tasks("one", [first, second])
    assert world.runs.start_task("one", second.id, attempt=1, attempt_id="a1", started_at=make.at(1))
    world.runs.put_tasks("one", [second, third])
    assert another.get_task("one", third.id) == third
    assert [task.id for task in another.list_tasks("one", limit=9).items] == [first.id, second.id, third.id]
    assert another.get_task("one", second.id).attempt_id == "a1"


def test_two_that_write_the_same_tasks_at_the_same_moment_store_each_once(world, make, another, together, drain):
    tasks = [make.task("one", position) for position in range(1100)]
    together(lambda store: store.put_tasks("one", tasks), [world.runs, another] * 2)
    for store in (world.runs, another):
        assert drain(lambda store=store, **page: store.list_tasks("one", **page), limit=1100) == tasks
