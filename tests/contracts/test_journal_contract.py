"""What every `RunStore` promises of events and dead letters."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dagy.core.errors import InvalidInput


@pytest.fixture
def run_id(world, make):
    return world.runs.create_run(make.run("one")).run.id


class TestEvents:
    def test_events_come_back_oldest_first_as_they_were(self, world, make, run_id):
        events = [
            make.event(run_id, 3, task_run_id="load-1", attempt=2, data={"n": 1.0, "text": "☃", "none": None}),
            make.event(run_id, 1),
            make.event(run_id, 2, data={"big": "x" * 50_000}),
        ]
        world.runs.append_events(events)
        listed = world.runs.list_events(run_id, limit=10)
        assert listed.items == (events[1], events[2], events[0])
        assert listed.cursor is None

    def test_repeats_change_nothing(self, world, make, run_id):
        events = [make.event(run_id, number) for number in range(5)]
        world.runs.append_events(events[:3])
        world.runs.append_events([*events, events[4]])
        assert world.runs.list_events(run_id, limit=10).items == tuple(events)

    def test_nothing_to_append_is_fine(self, world):
        world.runs.append_events([])

    def test_a_reader_goes_on_after_the_last_one_it_saw(self, world, make, run_id):
        events = [make.event(run_id, number) for number in range(60)]
        world.runs.append_events(events)
        seen, after = [], None
        while True:
            page = world.runs.list_events(run_id, limit=7, after=after)
            seen += page.items
            if page.cursor is None:
                break
            after = page.cursor
            assert after == seen[-1].id
        assert seen == events
        assert world.runs.list_events(run_id, limit=7, after=events[-1].id).items == ()

    def test_the_events_of_other_runs_and_other_things_of_the_run_are_not_mixed_in(self, world, make, run_id):
        world.runs.create_run(make.run("other"))
        world.runs.put_tasks(run_id, [make.task(run_id, 0)])
        world.runs.claim_run(run_id, owner="a", now=0, lease_s=1, hop=0)
        world.runs.append_events([make.event(run_id, 1), make.event("other", 2)])
        assert world.runs.list_events(run_id, limit=9).items == (make.event(run_id, 1),)
        assert world.runs.list_events("nobody", limit=9).items == ()


class TestDeadLetters:
    def test_they_are_listed_newest_first_page_by_page(self, world, make, drain):
        letters = [
            make.dead_letter("b", seconds=2, run_id="one", message={"deep": [{"n": 1.0}], "long": "x" * 40_000}),
            make.dead_letter("a", seconds=3),
            make.dead_letter("c", seconds=1),
        ]
        for letter in letters:
            world.runs.put_dead_letter(letter)
        for limit in (1, 2, 3, 10):
            assert drain(world.runs.list_dead_letters, limit=limit) == [letters[1], letters[0], letters[2]]

    def test_a_repeat_stores_it_once(self, world, make):
        for _ in range(2):
            world.runs.put_dead_letter(make.dead_letter("a"))
        assert len(world.runs.list_dead_letters(limit=9).items) == 1

    def test_one_is_found_by_its_id(self, world, make):
        letter = make.dead_letter("a", message={"long": "x" * 40_000}, run_id="one", delivery_id="request-1")
        world.runs.put_dead_letter(letter)
        assert world.runs.get_dead_letter("a") == letter
        assert world.runs.get_dead_letter("b") is None

    def test_those_about_one_run_are_listed_apart(self, world, make, drain):
        of_one = [make.dead_letter(f"a{n}", seconds=n, run_id="one") for n in (4, 2, 0)]
        for letter in [*of_one, make.dead_letter("b", seconds=1, run_id="other"), make.dead_letter("c", seconds=3)]:
            world.runs.put_dead_letter(letter)
        for limit in (1, 2, 10):
            assert drain(world.runs.list_dead_letters, limit=limit, run_id="one") == of_one
        assert drain(world.runs.list_dead_letters, limit=2, run_id="nobody") == []

    def test_the_cursor_of_another_list_is_refused(self, world, make):
        for n in range(2):
            world.runs.put_dead_letter(make.dead_letter(f"a{n}", seconds=n, run_id="one"))
        cursor = world.runs.list_dead_letters(limit=1).cursor
        with pytest.raises(InvalidInput):
            world.runs.list_dead_letters(limit=1, cursor=cursor, run_id="one")

    def test_one_that_was_replayed_is_kept_with_the_first_mark(self, world, make):
        letter = make.dead_letter("a", run_id="one")
        world.runs.put_dead_letter(letter)

        marked = world.runs.mark_replayed("a", at=make.at(5), by="ann", run_id="two")

        assert marked == replace(letter, replayed_at=make.at(5), replayed_by="ann", replayed_as="two")
        assert world.runs.mark_replayed("a", at=make.at(9), by="bob", run_id=None) == marked
        assert world.runs.get_dead_letter("a") == marked
        assert world.runs.list_dead_letters(limit=9).items == (marked,)

    def test_one_may_be_replayed_without_a_run(self, world, make):
        world.runs.put_dead_letter(make.dead_letter("a"))
        marked = world.runs.mark_replayed("a", at=make.at(5), by="ann", run_id=None)
        assert (marked.replayed_at, marked.replayed_as) == (make.at(5), None)

    def test_what_is_not_there_is_not_marked(self, world, make):
        assert world.runs.mark_replayed("a", at=make.at(5), by="ann", run_id=None) is None
        assert world.runs.get_dead_letter("a") is None
