"""What every `RunStore` promises of runs whose tasks are isolated: claims, arrivals, plans and places."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import NotFound
from dagy.core.sizes import Executor
from dagy.core.states import Status
from dagy_runtime.plan import Exit, Place
from dagy_runtime.ports import TaskOutcome
from dagy_runtime.values import ResultRef

NOW = 1_772_625_600.0
RESULT = ResultRef("json", 2, "ab" * 32, inline=b"42")
ONE, TWO, SUM = "extract-1", "extract-2", "sum-1"


@pytest.fixture
def tasks(world: Any, make: Any) -> list[Any]:
    """Two tasks and one that waits for both, planned."""
    world.runs.create_run(make.run("one"))
    first, second = (make.task("one", position) for position in range(2))
    tasks = [first, second, make.task("one", 2, id=SUM, task_name="sum", depends_on=(ONE, TWO))]
    world.runs.put_tasks("one", tasks)
    world.runs.set_planned("one")
    return tasks


def claim(world: Any, attempt_id: str, *, now: float = NOW, attempt: int = 1, id: str = ONE) -> Any:
    return world.runs.claim_task(
        "one", id, attempt=attempt, attempt_id=attempt_id, flow_attempt=1,
        started_at="2026-03-04T12:00:00.000Z", now=now, lease_s=30.0,
    )  # fmt: skip


def outcome(status: Status, **more: Any) -> TaskOutcome:
    return TaskOutcome(status, 1, "2026-03-04T12:00:09.000Z", **more)


def finish(world: Any, attempt_id: str, ended: TaskOutcome, *, id: str = ONE) -> Any:
    return world.runs.finish_task("one", id, attempt_id=attempt_id, outcome=ended)


class TestClaiming:
    def test_a_claim_is_good_for_its_lease_and_a_repeat_of_it_has_won_again(self, world: Any, tasks: Any) -> None:
        won = claim(world, "a")
        assert (won.status, won.attempt_id, won.lease_until) == (Status.RUNNING, "a", NOW + 30)
        assert claim(world, "a") == won == world.runs.get_task("one", ONE)

    def test_another_has_it_only_when_the_lease_has_run_out(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        assert claim(world, "b", now=NOW + 29).attempt_id == "a"
        assert claim(world, "b", now=NOW + 30).attempt_id == "b"
        assert claim(world, "a", now=NOW + 31).attempt_id == "b"

    def test_a_renewal_keeps_it_and_tells_an_attempt_that_was_replaced(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        assert world.runs.renew_task("one", ONE, attempt_id="a", now=NOW + 20, lease_s=30.0)
        assert claim(world, "b", now=NOW + 49).attempt_id == "a"
        assert claim(world, "b", now=NOW + 50).attempt_id == "b"
        assert not world.runs.renew_task("one", ONE, attempt_id="a", now=NOW + 51, lease_s=30.0)

    def test_one_that_was_put_back_waits_for_its_time_and_is_no_more_the_same_attempts(
        self, world: Any, tasks: Any
    ) -> None:
        claim(world, "a")
        put_back = finish(world, "a", outcome(Status.PENDING, not_before=NOW + 60))
        assert (put_back.status, put_back.lease_until) == (Status.PENDING, None)
        assert claim(world, "b", now=NOW + 59, attempt=2).status is Status.PENDING
        assert claim(world, "a", now=NOW + 60, attempt=2).status is Status.PENDING
        assert claim(world, "b", now=NOW + 60, attempt=2).attempt_id == "b"

    def test_what_has_ended_is_claimed_no_more(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        ended = finish(world, "a", outcome(Status.SUCCEEDED, result=RESULT))
        assert claim(world, "b", now=NOW + 1e6) == ended
        assert finish(world, "b", outcome(Status.FAILED)) == ended

    def test_an_attempt_that_was_replaced_changes_nothing_any_more(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        claim(world, "b", now=NOW + 30)
        assert finish(world, "a", outcome(Status.SUCCEEDED, result=RESULT)).attempt_id == "b"
        assert world.runs.get_results("one", [ONE]) == {}

    def test_of_32_that_claim_at_once_one_has_won(self, world: Any, tasks: Any, together: Any) -> None:
        seen = together(lambda n: claim(world, f"a{n}").attempt_id == f"a{n}", list(range(32)))
        assert sum(seen) == 1

    def test_a_task_that_is_not_there_cannot_be_claimed(self, world: Any, tasks: Any) -> None:
        with pytest.raises(NotFound):
            claim(world, "a", id="nobody-1")


class TestArriving:
    def test_members_count_once_however_often_they_arrive(self, world: Any, tasks: Any) -> None:
        counts = [world.runs.arrive("one", "sum-1#0.0", member) for member in (3, 3, 0, 3, 63)]
        assert counts == [1, 1, 2, 2, 3]

    def test_nodes_and_runs_are_apart(self, world: Any, make: Any, tasks: Any) -> None:
        world.runs.create_run(make.run("two"))
        assert [world.runs.arrive(run, node, 0) for run, node in (("one", "x"), ("one", "y"), ("two", "x"))] == [1] * 3

    def test_of_64_that_arrive_at_once_one_is_the_last(self, world: Any, tasks: Any, together: Any) -> None:
        counts = together(lambda member: world.runs.arrive("one", "x", member), list(range(64)))
        assert counts.count(64) == 1


class TestPlaces:
    def test_a_place_says_where_its_task_leads(self, world: Any, tasks: Any) -> None:
        assert world.runs.place("one", TWO, position=1) == Place(tasks[1], (Exit(SUM, 2, 1, 2, (ONE,)),))
        assert world.runs.place("one", SUM, position=2) == Place(tasks[2], (), end=(0, 1))

    def test_places_and_ways_tell_what_carries_their_tasks_out(self, world: Any, make: Any) -> None:
        apart = Executor.STEP_FUNCTIONS
        world.runs.create_run(make.run("one"))
        first = make.task("one", 0, executor=apart)
        second, third = make.task("one", 1, depends_on=(ONE,)), make.task("one", 2, depends_on=(ONE,), executor=apart)
        world.runs.put_tasks("one", [first, second, third])
        world.runs.set_planned("one")

        place = world.runs.place("one", ONE, position=0)

        assert place == Place(first, (Exit(second.id, 1, 0, 1), Exit(third.id, 2, 0, 1, (), apart)))
        assert world.runs.list_tasks("one", limit=10).items == (first, second, third)
        assert claim(world, "a").executor is apart

    def test_a_planned_run_knows_how_many_tasks_it_has(self, world: Any, tasks: Any) -> None:
        run = world.runs.get_run("one")
        assert (run.is_planned, run.task_count) == (True, 3)

    def test_what_is_not_in_the_plan_has_none(self, world: Any, tasks: Any) -> None:
        asked = [("one", "nobody-1", 0), ("one", ONE, 1), ("one", ONE, 70), ("other", ONE, 0)]
        assert [world.runs.place(run, id, position=position) for run, id, position in asked] == [None] * 4

    def test_a_run_that_is_not_planned_has_none(self, world: Any, make: Any) -> None:
        world.runs.create_run(make.run("one"))
        world.runs.put_tasks("one", [make.task("one", 0)])
        assert world.runs.place("one", ONE, position=0) is None

    def test_they_agree_with_the_plan_also_in_wide_flows_and_after_a_repeat(
        self, world_factory: Any, world: Any, make: Any
    ) -> None:
        world.runs.create_run(make.run("one"))
        first = make.task("one", 0)
        middle = [make.task("one", n, id=f"m-{n}", task_name="m", depends_on=(ONE,)) for n in range(1, 1200)]
        last = make.task("one", 1200, id=SUM, task_name="sum", depends_on=tuple(task.id for task in middle))
        world.runs.put_tasks("one", [first, *middle, last])
        world.runs.set_planned("one")
        world.runs.set_planned("one")
        plan = world.runs.plan("one")
        for task in (first, *middle[::100], last):
            assert world.runs.place("one", task.id, position=task.position) == plan.place(task.id)


class TestResults:
    def test_those_that_were_accepted_are_given(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        finish(world, "a", outcome(Status.SUCCEEDED, result=RESULT))
        claim(world, "c", id=TWO)
        assert world.runs.get_results("one", [ONE, TWO, "nobody-1"]) == {ONE: RESULT}
        assert world.runs.get_results("other", [ONE]) == {}

    def test_a_task_keeps_its_state_when_its_place_is_asked_for(self, world: Any, tasks: Any) -> None:
        claim(world, "a")
        place = world.runs.place("one", ONE, position=0)
        assert place is not None and place.task == tasks[0]
        assert replace(world.runs.get_task("one", ONE), lease_until=None).attempt_id == "a"
