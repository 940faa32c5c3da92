"""What every `Schedules`, `Timers`, `Clock` and `Ids` promises. What is sent, and to whom, is looked at where each
adapter is tested.
"""

from __future__ import annotations

import re

import pytest

from dagy.core.sizes import Size
from dagy_runtime.messages import AdvanceRun, Reconcile
from dagy_runtime.values import ScheduleSpec

HOURLY = ScheduleSpec("0 * * * *", "Europe/Athens")


class TestSchedules:
    @pytest.mark.parametrize("expression", ["*/5 * * * *", "0 9 * * 1-5", "rate(5 minutes)", "at(2030-01-02T03:04:00)"])
    @pytest.mark.parametrize("is_enabled", [True, False])
    def test_what_was_put_is_got_as_its_author_wrote_it(self, world, expression, is_enabled):
        schedule = ScheduleSpec(expression, "Europe/Athens")
        world.schedules.put("nightly", schedule, is_enabled=is_enabled)
        assert world.schedules.get("nightly") == (schedule, is_enabled)

    def test_putting_again_replaces_it(self, world):
        world.schedules.put("nightly", ScheduleSpec("rate(1 day)", "UTC"), is_enabled=True)
        world.schedules.put("nightly", HOURLY, is_enabled=False)
        assert world.schedules.get("nightly") == (HOURLY, False)

    def test_deleting_what_is_not_there_is_fine(self, world):
        world.schedules.put("nightly", HOURLY, is_enabled=True)
        for _ in range(2):
            world.schedules.delete("nightly")
            assert world.schedules.get("nightly") is None

    def test_names_that_begin_alike_are_different_schedules(self, world):
        names = ["n" * 100, "n" * 99, "n" * 64, "n"]
        for number, name in enumerate(names, 1):
            world.schedules.put(name, ScheduleSpec(f"rate({number + 1} hours)", "UTC"), is_enabled=True)
        assert [world.schedules.get(name)[0].expression for name in names] == [
            f"rate({number + 1} hours)" for number in range(1, 5)
        ]

    def test_16_puts_at_the_same_moment_leave_one_schedule(self, world, together):
        together(lambda n: world.schedules.put("nightly", HOURLY, is_enabled=True), list(range(16)))
        assert world.schedules.get("nightly") == (HOURLY, True)


class TestTimers:
    def test_a_repeat_of_a_name_is_fine_whatever_the_name(self, world):
        for name in ("advance-one-3", "with.dots and spaces: ü", "n" * 200):
            for _ in range(2):
                world.timers.to_runtime_at(Size.NANO, AdvanceRun("one", 3), at=4_000_000_000.5, name=name)
                world.timers.to_control_at(Reconcile(), at=4_000_000_000, name=f"control-{name}")


class TestClockAndIds:
    def test_ids_are_ulids_that_only_grow(self, world):
        ids = [world.ids.unique() for _ in range(2000)]
        assert ids == sorted(set(ids))
        assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", id_) for id_ in ids)

    def test_ids_made_by_many_threads_differ(self, world, together):
        made = together(lambda _: [world.ids.unique() for _ in range(200)], list(range(16)))
        assert len({id_ for ids in made for id_ in ids}) == 16 * 200

    def test_secrets_are_43_characters_safe_in_urls_and_all_different(self, world):
        secrets = [world.ids.secret() for _ in range(100)]
        assert len(set(secrets)) == 100
        assert all(re.fullmatch("[A-Za-z0-9_-]{43}", secret) for secret in secrets)

    def test_the_clock_tells_seconds_since_the_epoch(self, world):
        assert 1_700_000_000 < world.clock.now() < 4_000_000_000
