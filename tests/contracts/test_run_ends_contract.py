"""What every `RunStore` promises of the end of a run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dagy.core.errors import InvalidInput
from dagy.core.states import FINAL, RUN_TRANSITIONS, Status
from dagy_runtime.ports import Lost
from dagy_runtime.values import Problem, ResultRef

NOW = 1_772_625_600.0
ENDS = sorted(FINAL & set(RUN_TRANSITIONS))


def claim(world, run_id, owner, *, now=NOW, lease_s=30.0, hop=0):
    return world.runs.claim_run(run_id, owner=owner, now=now, lease_s=lease_s, hop=hop)


def finish(world, make, run_id, owner, *, status=Status.SUCCEEDED, seconds=5.0, **more):
    return world.runs.finish_run(run_id, owner=owner, status=status, ended_at=make.at(seconds), **more)


class TestFinishing:
    def test_the_owner_ends_its_run_with_a_result(self, world, make):
        world.runs.create_run(make.run("one"))
        won = claim(world, "one", "a")
        result = ResultRef("json", 3, "ab" * 32, inline=b"\x00\xff1")
        ended = finish(world, make, "one", "a", result=result)
        assert ended == replace(won.run, status=Status.SUCCEEDED, ended_at=make.at(5), result=result)
        assert world.runs.get_run("one") == ended
        assert world.runs.get_lease("one") is None

    def test_the_owner_ends_its_run_with_a_problem_of_any_size(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        problem = Problem("ValueError", "größe ☃", "\n".join(f"line {n} {n * 7919 % 10007}" for n in range(60_000)))
        ended = finish(world, make, "one", "a", status=Status.FAILED, problem=problem)
        assert ended.problem == problem == world.runs.get_run("one").problem

    def test_a_repeat_of_the_same_end_is_accepted_again(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        assert finish(world, make, "one", "a") == finish(world, make, "one", "a") == world.runs.get_run("one")

    @pytest.mark.parametrize("first", ENDS)
    @pytest.mark.parametrize("second", ENDS)
    def test_a_final_run_ends_no_second_time(self, world, make, first, second):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        ended = finish(world, make, "one", "a", status=first)
        assert finish(world, make, "one", "a", status=second, seconds=6) is None
        assert finish(world, make, "one", None, status=second, seconds=99) is None
        assert world.runs.get_run("one") == ended
        assert claim(world, "one", "a", now=NOW + 99) == Lost(ended, None)
        assert world.runs.renew_lease("one", owner="a", now=NOW + 99, lease_s=30) is None

    def test_an_owner_whose_lease_ran_out_still_ends_it_when_nobody_took_it(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        assert finish(world, make, "one", "a", seconds=99).status is Status.SUCCEEDED

    def test_who_does_not_hold_the_lease_does_not_end_it(self, world, make):
        world.runs.create_run(make.run("one"))
        assert finish(world, make, "one", "a") is None
        claim(world, "one", "a")
        won = claim(world, "one", "b", now=NOW + 31)
        assert finish(world, make, "one", "a") is None
        assert world.runs.get_run("one") == won.run

    @pytest.mark.parametrize(
        "seconds, is_accepted", [pytest.param(29.9, False, id="live"), pytest.param(30, True, id="run out")]
    )
    def test_nobody_in_particular_ends_a_running_run_only_when_its_lease_has_run_out(
        self, world, make, seconds, is_accepted
    ):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        ended = finish(world, make, "one", None, status=Status.FAILED, seconds=seconds)
        assert (ended is not None) is is_accepted
        assert world.runs.get_run("one").status is (Status.FAILED if is_accepted else Status.RUNNING)

    def test_nobody_in_particular_ends_a_released_run(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        world.runs.release_lease("one", owner="a")
        assert finish(world, make, "one", None, status=Status.CANCELLED).status is Status.CANCELLED

    @pytest.mark.parametrize(
        "status, is_legal", [(Status.FAILED, True), (Status.CANCELLED, True), (Status.SUCCEEDED, False)]
    )
    def test_a_pending_run_may_fail_or_be_cancelled_but_not_succeed(self, world, make, status, is_legal):
        world.runs.create_run(make.run("one"))
        ended = finish(world, make, "one", None, status=status)
        assert (ended is not None) is is_legal
        assert world.runs.get_run("one").status is (status if is_legal else Status.PENDING)

    def test_an_unknown_run_does_not_end(self, world, make):
        assert finish(world, make, "nobody", None, status=Status.FAILED) is None
        assert world.runs.get_run("nobody") is None

    @pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.SKIPPED])
    def test_a_status_that_ends_no_run_is_refused(self, world, make, status):
        world.runs.create_run(make.run("one"))
        with pytest.raises(InvalidInput):
            finish(world, make, "one", None, status=status)

    @pytest.mark.parametrize(
        "come",
        [
            pytest.param(lambda world, make: world.runs.request_cancel("one"), id="a cancel"),
            pytest.param(lambda world, make: claim(world, "one", "b", now=NOW + 99, hop=1), id="a claim"),
            pytest.param(lambda world, make: finish(world, make, "one", "a", seconds=7), id="another end"),
            pytest.param(lambda world, make: finish(world, make, "one", None, seconds=99), id="an end by nobody"),
        ],
    )
    def test_whoever_finds_a_final_run_with_open_tasks_cancels_them(self, world, make, come):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        ended = finish(world, make, "one", "a", status=Status.FAILED)
        world.runs.put_tasks("one", [make.task("one", position) for position in range(3)])
        come(world, make)
        tasks = world.runs.list_tasks("one", limit=9).items
        assert [(task.status, task.ended_at) for task in tasks] == [(Status.CANCELLED, make.at(5))] * 3
        assert {task.problem.message for task in tasks} == {"The run ended FAILED"}
        assert world.runs.get_run("one") == ended

    def test_completion_and_cancel_race_and_exactly_one_wins(self, world, make, together):
        for number in range(3):
            run_id = f"run-{number}"
            world.runs.create_run(make.run(run_id))
            claim(world, run_id, "a")
            ends = [("a", Status.SUCCEEDED, 31), (None, Status.CANCELLED, 32)] * 4
            answers = together(
                lambda end, run_id=run_id: finish(world, make, run_id, end[0], status=end[1], seconds=end[2]), ends
            )
            accepted = {answer.status for answer in answers if answer}
            assert accepted == {world.runs.get_run(run_id).status}

    def test_a_claim_and_a_cancel_of_a_pending_run_race_and_exactly_one_wins(self, world, make, together):
        for number in range(3):
            run_id = f"run-{number}"
            world.runs.create_run(make.run(run_id))

            def act(who, run_id=run_id):
                if who == "cancel":
                    return finish(world, make, run_id, None, status=Status.CANCELLED, seconds=0)
                return claim(world, run_id, who)

            answers = together(act, ["a", "cancel", "b"])
            winners = [answer for answer in answers if answer is not None and not isinstance(answer, Lost)]
            assert len(winners) == 1
