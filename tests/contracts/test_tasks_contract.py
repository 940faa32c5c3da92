"""What every `RunStore` promises of task runs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.states import Status
from dagy_runtime.ports import TaskOutcome
from dagy_runtime.values import Problem, ResultRef

NOW = 1_772_625_600.0
RESULT = ResultRef("json", 2, "ab" * 32, inline=b"42")
PROBLEM = Problem("ValueError", "no ☃", "Traceback …")


@pytest.fixture
def run_id(world, make):
    return world.runs.create_run(make.run("one")).run.id


@pytest.fixture
def task(world, make, run_id):
    task = make.task(run_id, 0, id="load-1", task_name="load", depends_on=("extract-1", "extract-2"))
    world.runs.put_tasks(run_id, [task])
    return task


def start(world, attempt=1, attempt_id="a1", task_run_id="load-1", started_at="2026-03-04T12:00:00.000Z"):
    return world.runs.start_task("one", task_run_id, attempt=attempt, attempt_id=attempt_id, started_at=started_at)


def succeeded(make, attempt=1, result=RESULT):
    return TaskOutcome(Status.SUCCEEDED, attempt, make.at(9), result, None, 1.0, 0.25, 100.0)


def finish(world, outcome, attempt_id="a1", task_run_id="load-1"):
    return world.runs.finish_task("one", task_run_id, attempt_id=attempt_id, outcome=outcome)


class TestPutting:
    def test_tasks_are_listed_in_the_flows_order_page_by_page(self, world, make, run_id, drain):
        tasks = [make.task(run_id, position, id=f"t-{(position * 7) % 12}") for position in range(12)]
        world.runs.put_tasks(run_id, tasks[6:])
        world.runs.put_tasks(run_id, tasks[:6])
        for limit in (1, 5, 12, 100):
            assert drain(lambda **page: world.runs.list_tasks(run_id, **page), limit=limit) == tasks

    def test_what_was_put_is_got_as_it_was(self, world, task, run_id):
        assert world.runs.get_task(run_id, "load-1") == task
        assert world.runs.get_task(run_id, "load-2") is None
        assert world.runs.get_task("nobody", "load-1") is None

    def test_a_task_put_with_a_state_keeps_it(self, world, make, run_id):
        done = make.task(run_id, 0, status=Status.SUCCEEDED, attempt=2, attempt_id="x", duration_s=3.0, result=RESULT)
        world.runs.put_tasks(run_id, [done])
        assert world.runs.list_tasks(run_id, limit=5).items == (done,)

    def test_putting_again_leaves_tasks_that_are_there_as_they_are(self, world, make, task, run_id):
        start(world)
        later = make.task(run_id, 1, id="later-1")
        world.runs.put_tasks(run_id, [replace(task, task_name="changed"), later, later])
        assert world.runs.get_task(run_id, "load-1").status is Status.RUNNING
        assert world.runs.get_task(run_id, "load-1").task_name == "load"
        assert [one.id for one in world.runs.list_tasks(run_id, limit=9).items] == ["load-1", "later-1"]

    def test_the_runs_of_others_are_not_mixed_in(self, world, make, task):
        world.runs.create_run(make.run("other"))
        world.runs.put_tasks("other", [make.task("other", 0)])
        assert [one.id for one in world.runs.list_tasks("other", limit=9).items] == ["extract-1"]

    def test_16_writers_of_the_same_tasks_store_each_once(self, world, make, run_id, together, drain):
        tasks = [make.task(run_id, position) for position in range(40)]
        together(lambda n: world.runs.put_tasks(run_id, tasks[n:] + tasks[:n]), list(range(16)))
        assert drain(lambda **page: world.runs.list_tasks(run_id, **page), limit=7) == tasks

    def test_a_thousand_tasks_with_many_parents(self, world, make, run_id, drain):
        parents = tuple(f"extract-{n + 1}" for n in range(999))
        tasks = [make.task(run_id, position) for position in range(999)]
        tasks.append(make.task(run_id, 999, id="join-1", depends_on=parents))
        world.runs.put_tasks(run_id, tasks)
        assert drain(lambda **page: world.runs.list_tasks(run_id, **page), limit=250) == tasks
        assert world.runs.get_task(run_id, "join-1").depends_on == parents

    def test_a_cursor_of_another_run_is_refused(self, world, make, run_id):
        world.runs.put_tasks(run_id, [make.task(run_id, position) for position in range(2)])
        cursor = world.runs.list_tasks(run_id, limit=1).cursor
        with pytest.raises(InvalidInput):
            world.runs.list_tasks("other", limit=1, cursor=cursor)


class TestStarting:
    def test_a_waiting_task_starts(self, world, task, run_id):
        assert start(world)
        assert world.runs.get_task(run_id, "load-1") == replace(
            task, status=Status.RUNNING, attempt=1, attempt_id="a1", started_at="2026-03-04T12:00:00.000Z"
        )

    def test_a_repeat_is_true_and_changes_nothing(self, world, task, run_id):
        assert start(world)
        before = world.runs.get_task(run_id, "load-1")
        assert start(world, started_at="2026-03-04T12:00:09.000Z")
        assert world.runs.get_task(run_id, "load-1") == before

    def test_a_task_that_is_not_there_does_not_start(self, world, task):
        assert not start(world, task_run_id="nobody-1")
        assert world.runs.get_task("one", "nobody-1") is None
        assert not world.runs.start_task("nobody", "load-1", attempt=1, attempt_id="a", started_at="x")

    def test_a_new_attempt_takes_over_a_lost_one(self, world, task, run_id):
        start(world)
        assert start(world, attempt=2, attempt_id="a2")
        stands = world.runs.get_task(run_id, "load-1")
        assert (stands.attempt, stands.attempt_id) == (2, "a2")

    def test_an_older_attempt_does_not_displace_a_newer_one(self, world, task, run_id):
        start(world, attempt=2, attempt_id="a2")
        assert not start(world, attempt=1, attempt_id="a1")
        assert world.runs.get_task(run_id, "load-1").attempt_id == "a2"

    def test_an_attempt_that_was_put_back_does_not_start_again_but_the_next_does(self, world, make, task, run_id):
        start(world)
        finish(world, TaskOutcome(Status.PENDING, 1, make.at(1), problem=PROBLEM))
        assert not start(world)
        assert start(world, attempt=2, attempt_id="a2")
        stands = world.runs.get_task(run_id, "load-1")
        assert (stands.problem, stands.ended_at, stands.duration_s) == (None, None, None)

    @pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
    def test_a_final_task_does_not_start(self, world, make, task, run_id, status):
        start(world)
        final = finish(world, replace(succeeded(make), status=status))
        assert not start(world)
        assert not start(world, attempt=2, attempt_id="a2")
        assert world.runs.get_task(run_id, "load-1") == final

    def test_16_starts_of_different_attempts_leave_one_standing(self, world, task, run_id, together):
        answers = together(lambda n: (n, start(world, attempt=n, attempt_id=f"a{n}")), list(range(1, 17)))
        stands = world.runs.get_task(run_id, "load-1")
        assert (stands.attempt, (16, True) in answers) == (16, True)


class TestFinishing:
    def test_an_outcome_is_stored_whole(self, world, make, task, run_id):
        start(world)
        finished = finish(world, succeeded(make))
        assert finished == world.runs.get_task(run_id, "load-1")
        assert finished == replace(
            task, status=Status.SUCCEEDED, attempt=1, attempt_id="a1", started_at=make.at(0), ended_at=make.at(9),
            duration_s=1.0, cpu_s=0.25, peak_mib=100.0, result=RESULT,
        )  # fmt: skip
        assert isinstance(finished.duration_s, float)

    @pytest.mark.parametrize(
        "result",
        [
            pytest.param(ResultRef("pickle", 32_768, "ab" * 32, inline=bytes(range(256)) * 128), id="32 KiB inline"),
            pytest.param(ResultRef("json", 0, "ab" * 32, inline=b""), id="nothing"),
            pytest.param(ResultRef("parquet", 10**12, "ab" * 32, key="runs/ä/results/☃"), id="in the bucket"),
        ],
    )
    def test_a_result_is_kept_as_it_is(self, world, make, task, run_id, result):
        start(world)
        assert finish(world, succeeded(make, result=result)).result == result
        assert world.runs.list_tasks(run_id, limit=1).items[0].result == result

    def test_a_failure_is_kept_with_a_traceback_of_any_size(self, world, make, task, run_id):
        start(world)
        problem = Problem("E", "m" * 50_000, "\n".join(str(n * 7919) for n in range(90_000)))
        finish(world, TaskOutcome(Status.FAILED, 1, make.at(1), problem=problem))
        assert world.runs.get_task(run_id, "load-1").problem == problem

    def test_a_task_put_back_waits_with_what_went_wrong(self, world, make, task, run_id):
        start(world)
        waiting = finish(world, TaskOutcome(Status.PENDING, 1, make.at(1), problem=PROBLEM, duration_s=0.5))
        assert (waiting.status, waiting.attempt, waiting.problem, waiting.ended_at) == (
            Status.PENDING,
            1,
            PROBLEM,
            None,
        )
        assert waiting == world.runs.get_task(run_id, "load-1")

    def test_the_first_accepted_outcome_stays(self, world, make, task, run_id):
        start(world)
        first = finish(world, succeeded(make))
        other = TaskOutcome(Status.FAILED, 1, make.at(10), problem=PROBLEM)
        assert finish(world, other) == first == world.runs.get_task(run_id, "load-1")
        assert finish(world, succeeded(make)) == first

    def test_an_attempt_that_was_displaced_changes_nothing(self, world, make, task, run_id):
        start(world)
        start(world, attempt=2, attempt_id="a2")
        stands = world.runs.get_task(run_id, "load-1")
        assert finish(world, succeeded(make), attempt_id="a1") == stands == world.runs.get_task(run_id, "load-1")

    def test_a_task_that_never_started_has_no_outcome(self, world, make, task, run_id):
        assert finish(world, succeeded(make)) == task == world.runs.get_task(run_id, "load-1")

    @pytest.mark.parametrize("status", [Status.RUNNING, Status.SKIPPED, Status.SCHEDULED])
    def test_a_status_in_which_no_attempt_ends_changes_nothing(self, world, make, task, run_id, status):
        start(world)
        before = world.runs.get_task(run_id, "load-1")
        assert finish(world, TaskOutcome(status, 1, make.at(1))) == before == world.runs.get_task(run_id, "load-1")

    def test_an_unknown_task_is_not_found(self, world, make, task):
        with pytest.raises(NotFound):
            finish(world, succeeded(make), task_run_id="nobody-1")

    def test_of_16_outcomes_of_one_attempt_one_is_accepted_and_all_callers_see_it(
        self, world, make, task, run_id, together
    ):
        start(world)
        results = [ResultRef("json", n, f"{n:064d}", inline=str(n).encode()) for n in range(16)]
        answers = together(lambda result: finish(world, succeeded(make, result=result)), results)
        assert set(answers) == {world.runs.get_task(run_id, "load-1")}


class TestSettling:
    @pytest.fixture
    def tasks(self, world, make, run_id):
        """Pending, running, succeeded, put back."""
        tasks = [make.task(run_id, position, id=f"t-{position}") for position in range(4)]
        world.runs.put_tasks(run_id, tasks)
        for task_run_id in ("t-1", "t-2", "t-3"):
            start(world, task_run_id=task_run_id)
        finish(world, succeeded(make), task_run_id="t-2")
        finish(world, TaskOutcome(Status.PENDING, 1, make.at(1)), task_run_id="t-3")
        return [task.id for task in tasks]

    @pytest.mark.parametrize(
        "status, expected",
        [
            pytest.param(Status.SKIPPED, "SKIPPED RUNNING SUCCEEDED SKIPPED", id="what runs cannot be skipped"),
            pytest.param(Status.CANCELLED, "CANCELLED CANCELLED SUCCEEDED CANCELLED", id="all open ones are cancelled"),
        ],
    )
    def test_open_tasks_are_settled_and_final_ones_stay(self, world, make, run_id, tasks, status, expected):
        for _ in range(2):
            world.runs.settle_tasks(run_id, [*tasks, "nobody"], status=status, reason="it rains", ended_at=make.at(3))
            stands = world.runs.list_tasks(run_id, limit=9).items
            assert " ".join(task.status for task in stands) == expected
        assert stands[0].problem == Problem(status.capitalize(), "it rains")
        assert stands[0].ended_at == make.at(3)
        assert world.runs.get_task(run_id, "nobody") is None

    def test_only_those_named_are_settled(self, world, make, run_id, tasks):
        world.runs.settle_tasks(run_id, ["t-0"], status=Status.SKIPPED, reason="", ended_at=make.at(3))
        assert world.runs.get_task(run_id, "t-3").status is Status.PENDING

    @pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.SUCCEEDED])
    def test_a_status_that_settles_nothing_is_refused(self, world, make, run_id, tasks, status):
        with pytest.raises(InvalidInput):
            world.runs.settle_tasks(run_id, tasks, status=status, reason="", ended_at=make.at(3))

    def test_the_end_of_a_run_cancels_its_open_tasks(self, world, make, run_id, tasks):
        world.runs.claim_run(run_id, owner="a", now=NOW, lease_s=30, hop=0)
        world.runs.finish_run(run_id, owner="a", status=Status.FAILED, ended_at=make.at(7))
        stands = world.runs.list_tasks(run_id, limit=9).items
        assert " ".join(task.status for task in stands) == "CANCELLED CANCELLED SUCCEEDED CANCELLED"
        assert stands[0].problem == Problem("Cancelled", "The run ended FAILED")
        assert stands[0].ended_at == make.at(7)

    def test_an_end_that_is_not_accepted_leaves_the_tasks(self, world, make, run_id, tasks):
        before = world.runs.list_tasks(run_id, limit=9)
        assert world.runs.finish_run(run_id, owner="a", status=Status.FAILED, ended_at=make.at(7)) is None
        assert world.runs.list_tasks(run_id, limit=9) == before

    def test_nothing_of_a_settled_task_is_accepted_afterwards(self, world, make, run_id, tasks):
        world.runs.settle_tasks(run_id, tasks, status=Status.CANCELLED, reason="", ended_at=make.at(3))
        before = world.runs.list_tasks(run_id, limit=9)
        assert not start(world, attempt=5, attempt_id="late", task_run_id="t-0")
        finish(world, succeeded(make), task_run_id="t-1")
        assert world.runs.list_tasks(run_id, limit=9) == before

    def test_the_end_of_a_run_settles_more_tasks_than_one_transaction_holds(self, world, make, run_id, drain):
        world.runs.put_tasks(run_id, [make.task(run_id, position) for position in range(120)])
        world.runs.finish_run(run_id, owner=None, status=Status.CANCELLED, ended_at=make.at(7))
        listed = drain(lambda **page: world.runs.list_tasks(run_id, **page), limit=50)
        assert {task.status for task in listed} == {Status.CANCELLED}
        assert len(listed) == 120
