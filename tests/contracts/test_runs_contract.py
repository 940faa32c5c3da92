"""What every `RunStore` promises of runs and their leases."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dagy.core.errors import Conflict, InvalidInput
from dagy.core.sizes import Isolation, Size
from dagy.core.states import FINAL, RUN_TRANSITIONS, Status
from dagy_runtime.ports import Created, Existed, Lost, RunFilter, Won
from dagy_runtime.values import ArtifactRef, Lease, PackageRef, Trigger

NOW = 1_772_625_600.0
ENDS = sorted(FINAL & set(RUN_TRANSITIONS))


def claim(world, run_id, owner, *, now=NOW, lease_s=30.0, hop=0):
    return world.runs.claim_run(run_id, owner=owner, now=now, lease_s=lease_s, hop=hop)


class TestCreating:
    def test_what_was_created_is_got_as_it_was(self, world, make):
        run = make.run(
            artifact=ArtifactRef("bucket", "ключ/ä ☃.zip", "00" * 32, None, 0),
            size=Size.XLARGE,
            isolation=Isolation.TASK_ISOLATED,
            parameters={
                "int": 1, "float": 1.0, "big": 2**100, "small": 1e-300, "negative": -0.5, "text": "größe ☃ 🦆",
                "empty": "", "none": None, "true": True, "nested": {"": [{}, [], [1, [2.0]]]},
            },
            trigger=Trigger.SCHEDULE,
            fail_fast=False,
            max_workers=7,
            scheduled_at=make.at(0),
            requested_by="key-1",
            tags={"k": "", "ü": "ö"},
            deployment=None,
            packages=(
                PackageRef("A1B2C3D4", ArtifactRef("bucket", "packages/A1B2C3D4.zip", "ab" * 32, "v1", 7), 2**31),
                PackageRef("X9Y8Z7W6", ArtifactRef("bucket", "packages/X9Y8Z7W6.zip", "cd" * 32, None, 8), 9),
            ),
        )  # fmt: skip
        assert world.runs.create_run(run) == Created(run)
        stored = world.runs.get_run(run.id)
        assert stored == run
        assert {name: type(value) for name, value in stored.parameters.items()} == {
            name: type(value) for name, value in run.parameters.items()
        }
        assert (type(stored.status), type(stored.size), type(stored.trigger)) == (Status, Size, Trigger)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("x" * 41_000, id="40 KiB that compress well"),
            pytest.param(
                "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(400_000)), id="a megabyte that does not"
            ),
            pytest.param("\ud800 half a pair", id="half of a surrogate pair"),
            pytest.param("\x00\x01", id="control characters"),
        ],
    )
    def test_parameters_of_any_size_and_text_are_kept(self, world, make, text):
        run = make.run(parameters={"text": text})
        world.runs.create_run(run)
        assert world.runs.get_run(run.id) == run
        assert world.runs.list_runs(limit=1).items == (run,)

    def test_an_unknown_run_is_none(self, world):
        assert world.runs.get_run("nobody") is None
        assert world.runs.get_lease("nobody") is None
        assert world.runs.request_cancel("nobody") is None

    def test_the_same_id_gives_the_first_run(self, world, make):
        first = make.run("one", parameters={"n": 1})
        assert world.runs.create_run(first) == Created(first)
        assert world.runs.create_run(make.run("one", parameters={"n": 2})) == Existed(first)
        assert world.runs.get_run("one") == first

    def test_the_same_key_gives_the_first_run_as_it_stands_now(self, world, make):
        first = make.run("one", parameters={"n": 1})
        assert world.runs.create_run(first, idempotency_key="k") == Created(first)
        won = claim(world, "one", "a")
        again = world.runs.create_run(make.run("two", parameters={"n": 1}, seconds=9), idempotency_key="k")
        assert again == Existed(won.run)
        assert world.runs.get_run("two") is None

    def test_a_key_outlives_a_move_of_the_deployment_to_another_version(self, world, make):
        first = make.run("one", flow_version="v1")
        world.runs.create_run(first, idempotency_key="k")
        assert world.runs.create_run(make.run("two", flow_version="v2"), idempotency_key="k") == Existed(first)

    @pytest.mark.parametrize(
        "change", [{"flow_name": "other"}, {"deployment": "other"}, {"deployment": None}, {"parameters": {"n": 1.5}}]
    )
    def test_a_key_used_for_something_else_is_refused(self, world, make, change):
        world.runs.create_run(make.run("one"), idempotency_key="k")
        with pytest.raises(Conflict, match="idempotency key 'k'"):
            world.runs.create_run(make.run("two", **change), idempotency_key="k")
        assert world.runs.get_run("two") is None

    def test_a_key_given_with_a_run_that_exists_is_remembered_with_it(self, world, make):
        first = make.run("one")
        world.runs.create_run(first)
        assert world.runs.create_run(make.run("one"), idempotency_key="k") == Existed(first)
        assert world.runs.create_run(make.run("two"), idempotency_key="k") == Existed(first)
        assert world.runs.get_run("two") is None

    def test_different_keys_make_different_runs(self, world, make):
        assert isinstance(world.runs.create_run(make.run("one"), idempotency_key="k1"), Created)
        assert isinstance(world.runs.create_run(make.run("two"), idempotency_key="k2"), Created)

    def test_64_callers_with_one_key_at_the_same_moment_get_one_run(self, world, make, together):
        answers = together(lambda n: world.runs.create_run(make.run(f"run-{n}"), idempotency_key="k"), list(range(64)))
        assert len({answer.run.id for answer in answers}) == 1
        assert [type(answer) for answer in answers].count(Created) == 1
        assert len(world.runs.list_runs(limit=100).items) == 1

    def test_of_64_callers_with_one_id_exactly_one_creates_it(self, world, make, together):
        answers = together(lambda n: world.runs.create_run(make.run("one", parameters={"n": n})), list(range(64)))
        assert [type(answer) for answer in answers].count(Created) == 1
        assert {answer.run.parameters["n"] for answer in answers} == {world.runs.get_run("one").parameters["n"]}


class TestListing:
    def test_runs_are_listed_newest_first_page_by_page(self, world, make, drain):
        for second in (3, 1, 4, 1, 5, 9, 2, 6):
            world.runs.create_run(make.run(seconds=second))
        for limit in (1, 3, 8, 100):
            listed = drain(world.runs.list_runs, limit=limit)
            assert len(listed) == 8
            assert [run.created_at for run in listed] == sorted((run.created_at for run in listed), reverse=True)

    @pytest.mark.parametrize(
        "where, expected",
        [
            pytest.param(RunFilter(), "543210", id="all"),
            pytest.param(RunFilter(flow_name="etl"), "5420", id="a flow"),
            pytest.param(RunFilter(deployment="hourly"), "51", id="a deployment"),
            pytest.param(RunFilter(deployment="hourly", flow_name="etl"), "5", id="a deployment and a flow"),
            pytest.param(RunFilter(statuses=(Status.PENDING,)), "530", id="a status"),
            pytest.param(RunFilter(statuses=(Status.RUNNING, Status.FAILED)), "421", id="statuses"),
            pytest.param(RunFilter(statuses=tuple(Status)), "543210", id="every status"),
            pytest.param(RunFilter(flow_name="etl", statuses=(Status.PENDING,)), "50", id="a flow and a status"),
            pytest.param(RunFilter(flow_name="nothing"), "", id="none"),
        ],
    )
    def test_a_list_is_filtered(self, world, make, drain, where, expected):
        for number, (flow_name, deployment, status) in enumerate(
            [
                ("etl", "nightly", Status.PENDING),
                ("other", "hourly", Status.FAILED),
                ("etl", None, Status.RUNNING),
                ("other", None, Status.PENDING),
                ("etl", "nightly", Status.RUNNING),
                ("etl", "hourly", Status.PENDING),
            ]
        ):
            run = make.run(f"run-{number}", seconds=number, flow_name=flow_name, deployment=deployment, status=status)
            world.runs.create_run(run)
        for limit in (1, 2, 50):
            listed = drain(world.runs.list_runs, limit=limit, where=where)
            assert "".join(run.id[-1] for run in listed) == expected

    @pytest.mark.parametrize(
        "where, expected",
        [
            pytest.param({"created_after": 2}, "543", id="after, not at"),
            pytest.param({"created_before": 3}, "210", id="before, not at"),
            pytest.param({"created_after": 0.9, "created_before": 4.1}, "4321", id="between"),
            pytest.param({"created_after": 3, "created_before": 2}, "", id="no time at all"),
            pytest.param({"trigger": Trigger.SCHEDULE}, "420", id="a trigger"),
            pytest.param({"flow_name": "etl", "created_after": 1, "trigger": Trigger.MANUAL}, "53", id="of a flow"),
            pytest.param(
                {"deployment": "nightly", "created_before": 5, "trigger": Trigger.SCHEDULE}, "420", id="of one"
            ),
            pytest.param({"statuses": (Status.PENDING, Status.RUNNING), "created_after": 1}, "5432", id="of statuses"),
            pytest.param(
                {"flow_name": "etl", "deployment": "nightly", "statuses": (Status.PENDING,), "created_before": 4},
                "3210",
                id="of everything",
            ),
        ],
    )
    def test_a_list_is_bounded_in_time_and_filtered_by_trigger(self, world, make, drain, where, expected):
        for number in range(6):
            trigger = Trigger.MANUAL if number % 2 else Trigger.SCHEDULE
            world.runs.create_run(make.run(f"r{number}", seconds=number, trigger=trigger))
        bounds = {name: make.at(where[name]) for name in ("created_after", "created_before") if name in where}
        for limit in (1, 2, 10):
            listed = drain(world.runs.list_runs, limit=limit, where=RunFilter(**{**where, **bounds}))
            assert "".join(run.id[1] for run in listed) == expected

    def test_a_run_moves_between_the_lists_of_statuses(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        world.runs.finish_run("one", owner="a", status=Status.FAILED, ended_at=make.at(5))
        for status in Status:
            listed = world.runs.list_runs(limit=5, where=RunFilter(statuses=(status,)))
            assert [run.id for run in listed.items] == (["one"] if status is Status.FAILED else [])

    def test_pages_skip_and_repeat_nothing_while_runs_are_added(self, world, make):
        expected = [world.runs.create_run(make.run(seconds=second)).run.id for second in range(20)]
        seen, cursor, second = [], None, 20
        while True:
            page = world.runs.list_runs(limit=3, cursor=cursor)
            seen += [run.id for run in page.items]
            cursor = page.cursor
            if cursor is None:
                break
            world.runs.create_run(make.run(seconds=second))  # newer than every page: not for this reader
            second += 1
        assert seen == expected[::-1]

    def test_the_cursor_of_another_filter_is_refused(self, world, make):
        for second in (1, 2):
            world.runs.create_run(make.run(seconds=second))
        cursor = world.runs.list_runs(limit=1).cursor
        with pytest.raises(InvalidInput):
            world.runs.list_runs(limit=1, cursor=cursor, where=RunFilter(flow_name="etl"))


class TestClaiming:
    def test_a_pending_run_is_won_and_runs(self, world, make):
        run = make.run("one")
        world.runs.create_run(run)
        won = claim(world, "one", "a")
        expected = replace(run, status=Status.RUNNING, hops=1, started_at=make.at(0))
        assert won == Won(expected, Lease("one", "a", NOW + 30))
        assert world.runs.get_run("one") == expected
        assert world.runs.get_lease("one") == won.lease

    def test_a_repeat_by_the_same_owner_wins_again_and_counts_once(self, world, make):
        world.runs.create_run(make.run("one"))
        first = claim(world, "one", "a")
        again = claim(world, "one", "a", now=NOW + 1)
        assert again == Won(first.run, Lease("one", "a", NOW + 31))

    def test_a_run_under_a_live_lease_is_lost_with_what_stands_there(self, world, make):
        world.runs.create_run(make.run("one"))
        won = claim(world, "one", "a")
        assert claim(world, "one", "b", now=NOW + 29.5, hop=1) == Lost(won.run, won.lease)
        assert world.runs.get_run("one") == won.run
        assert world.runs.get_lease("one") == won.lease

    def test_a_run_whose_lease_has_run_out_is_won_and_keeps_its_start(self, world, make):
        world.runs.create_run(make.run("one"))
        first = claim(world, "one", "a")
        second = claim(world, "one", "b", now=NOW + 30, hop=1)
        assert second == Won(replace(first.run, hops=2), Lease("one", "b", NOW + 60))

    def test_hops_never_go_down(self, world, make):
        world.runs.create_run(make.run("one"))
        assert claim(world, "one", "a", hop=6).run.hops == 7
        assert claim(world, "one", "b", now=NOW + 100, hop=0).run.hops == 7

    @pytest.mark.parametrize("status", [Status.SCHEDULED, *ENDS])
    def test_a_run_that_is_not_open_is_lost(self, world, make, status):
        run = make.run("one", status=status)
        world.runs.create_run(run)
        assert claim(world, "one", "a") == Lost(run, None)
        assert world.runs.get_lease("one") is None
        assert world.runs.get_run("one") == run

    def test_an_unknown_run_is_lost_and_leaves_no_lease(self, world):
        assert claim(world, "nobody", "a") == Lost(None, None)
        assert world.runs.get_lease("nobody") is None

    def test_of_32_claims_at_the_same_moment_exactly_one_wins(self, world, make, together):
        for number in range(2):
            run_id = f"run-{number}"
            world.runs.create_run(make.run(run_id))
            answers = together(lambda n, run_id=run_id: claim(world, run_id, f"owner-{n}"), list(range(32)))
            winners = [answer for answer in answers if isinstance(answer, Won)]
            assert len(winners) == 1
            assert world.runs.get_lease(run_id) == winners[0].lease

    def test_of_16_claims_on_an_expired_lease_exactly_one_wins(self, world, make, together):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "before")
        answers = together(lambda n: claim(world, "one", f"owner-{n}", now=NOW + 99, hop=1), list(range(16)))
        assert [type(answer) for answer in answers].count(Won) == 1


class TestLeases:
    def test_renewing_moves_its_end(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        renewed = world.runs.renew_lease("one", owner="a", now=NOW + 20, lease_s=30.5)
        assert renewed == Lease("one", "a", NOW + 50.5) == world.runs.get_lease("one")

    def test_a_lease_that_ran_out_and_nobody_took_can_be_renewed(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        assert world.runs.renew_lease("one", owner="a", now=NOW + 99, lease_s=30) == Lease("one", "a", NOW + 129)

    def test_renewing_one_that_another_has_taken_is_none_and_changes_nothing(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        taken = claim(world, "one", "b", now=NOW + 31).lease
        assert world.runs.renew_lease("one", owner="a", now=NOW + 32, lease_s=30) is None
        assert world.runs.get_lease("one") == taken

    def test_a_released_run_is_claimed_at_once_and_not_renewed(self, world, make):
        world.runs.create_run(make.run("one"))
        claim(world, "one", "a")
        world.runs.release_lease("one", owner="a")
        assert world.runs.get_lease("one") is None
        assert world.runs.renew_lease("one", owner="a", now=NOW + 1, lease_s=30) is None
        assert isinstance(claim(world, "one", "b", now=NOW + 1, hop=1), Won)

    def test_the_flows_attempt_outlives_leases_and_moves_only_when_a_release_says_so(self, world, make):
        world.runs.create_run(make.run("one"))
        assert claim(world, "one", "a").lease.flow_attempt == 1
        world.runs.release_lease("one", owner="b", flow_attempt=9)
        world.runs.release_lease("one", owner="a", flow_attempt=2)
        assert claim(world, "one", "b", hop=1).lease.flow_attempt == 2
        assert world.runs.renew_lease("one", owner="b", now=NOW + 1, lease_s=30).flow_attempt == 2
        world.runs.release_lease("one", owner="b")
        assert claim(world, "one", "c", hop=2).lease.flow_attempt == 2
        assert claim(world, "one", "d", now=NOW + 99, hop=2).lease.flow_attempt == 2
        assert world.runs.get_lease("one").flow_attempt == 2

    def test_releasing_what_is_not_ours_does_nothing(self, world, make):
        world.runs.create_run(make.run("one"))
        won = claim(world, "one", "a")
        world.runs.release_lease("one", owner="b")
        world.runs.release_lease("nobody", owner="b")
        assert world.runs.get_lease("one") == won.lease
        assert world.runs.get_lease("nobody") is None

    def test_a_cancel_is_seen_by_the_next_renewal(self, world, make):
        world.runs.create_run(make.run("one"))
        won = claim(world, "one", "a")
        assert world.runs.request_cancel("one") == won.run
        assert world.runs.get_lease("one") == replace(won.lease, is_cancel_requested=True)
        assert world.runs.renew_lease("one", owner="a", now=NOW + 1, lease_s=30).is_cancel_requested

    def test_a_cancel_before_the_claim_is_seen_by_it_and_survives_a_release(self, world, make):
        run = make.run("one")
        world.runs.create_run(run)
        assert world.runs.request_cancel("one") == run
        assert claim(world, "one", "a").lease.is_cancel_requested
        world.runs.release_lease("one", owner="a")
        assert claim(world, "one", "b", hop=1).lease.is_cancel_requested
