"""What every `RunStore` promises of limits: seats and the queues before them."""

from __future__ import annotations


def test_a_seat_is_taken_while_there_is_one_and_by_everybody_once(world):
    take = world.runs.take_seat
    assert take("hall", "a", seats=2) and take("hall", "b", seats=2)
    assert not take("hall", "c", seats=2)
    assert take("hall", "a", seats=2) and take("hall", "b", seats=1)
    assert world.runs.seated("hall") == {"a", "b"}


def test_halls_have_nothing_to_do_with_each_other(world):
    assert world.runs.take_seat("one", "a", seats=1)
    world.runs.queue_up("one", "a")
    assert world.runs.take_seat("two", "b", seats=1)
    assert world.runs.seated("two") == {"b"} and world.runs.queue("two", limit=5) == ()


def test_a_seat_that_is_left_is_free_and_leaving_again_changes_nothing(world):
    for who in ("a", "b"):
        world.runs.take_seat("hall", who, seats=2)
    assert [world.runs.leave_seat("hall", who) for who in ("a", "a", "stranger")] == [1, 1, 1]
    assert world.runs.take_seat("hall", "c", seats=2)
    assert [world.runs.leave_seat("hall", who) for who in ("b", "c")] == [1, 0]
    assert world.runs.seated("hall") == frozenset() and world.runs.leave_seat("empty", "a") == 0


def test_of_16_who_want_one_of_3_seats_3_sit(world, together):
    sat = together(lambda number: world.runs.take_seat("hall", f"w-{number}", seats=3), list(range(16)))
    assert sorted(sat) == [False] * 13 + [True] * 3
    assert world.runs.seated("hall") == {f"w-{number}" for number, is_seated in enumerate(sat) if is_seated}


def test_a_queue_is_in_order_and_has_everybody_once(world):
    for entry in ("2#b", "1#a", "10#c", "2#b"):
        world.runs.queue_up("hall", entry)
    assert world.runs.queue("hall", limit=9) == ("1#a", "10#c", "2#b")
    assert world.runs.queue("hall", limit=2) == ("1#a", "10#c")
    for _ in range(2):
        world.runs.leave_queue("hall", "1#a")
    assert world.runs.queue("hall", limit=9) == ("10#c", "2#b")
    assert world.runs.queue("other", limit=9) == ()
