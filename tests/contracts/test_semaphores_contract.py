"""What every `RunStore` promises of limits: semaphores, their holders and their queues."""

from __future__ import annotations


def test_a_permit_is_given_while_there_is_one_and_to_everybody_once(world):
    acquire = world.runs.acquire_permit
    assert acquire("semaphore", "a", permits=2) and acquire("semaphore", "b", permits=2)
    assert not acquire("semaphore", "c", permits=2)
    assert acquire("semaphore", "a", permits=2) and acquire("semaphore", "b", permits=1)
    assert world.runs.permit_holders("semaphore") == {"a", "b"}


def test_semaphores_have_nothing_to_do_with_each_other(world):
    assert world.runs.acquire_permit("one", "a", permits=1)
    world.runs.enqueue("one", "a")
    assert world.runs.acquire_permit("two", "b", permits=1)
    assert world.runs.permit_holders("two") == {"b"} and world.runs.queue("two", limit=5) == ()


def test_a_permit_that_is_released_is_free_and_releasing_again_changes_nothing(world):
    for who in ("a", "b"):
        world.runs.acquire_permit("semaphore", who, permits=2)
    assert [world.runs.release_permit("semaphore", who) for who in ("a", "a", "stranger")] == [1, 1, 1]
    assert world.runs.acquire_permit("semaphore", "c", permits=2)
    assert [world.runs.release_permit("semaphore", who) for who in ("b", "c")] == [1, 0]
    assert world.runs.permit_holders("semaphore") == frozenset() and world.runs.release_permit("empty", "a") == 0


def test_of_16_who_want_one_of_3_permits_3_get_one(world, together):
    given = together(lambda number: world.runs.acquire_permit("semaphore", f"w-{number}", permits=3), list(range(16)))
    assert sorted(given) == [False] * 13 + [True] * 3
    assert world.runs.permit_holders("semaphore") == {
        f"w-{number}" for number, is_holder in enumerate(given) if is_holder
    }


def test_a_queue_is_in_order_and_has_everybody_once(world):
    for entry in ("2#b", "1#a", "10#c", "2#b"):
        world.runs.enqueue("semaphore", entry)
    assert world.runs.queue("semaphore", limit=9) == ("1#a", "10#c", "2#b")
    assert world.runs.queue("semaphore", limit=2) == ("1#a", "10#c")
    for _ in range(2):
        world.runs.dequeue("semaphore", "1#a")
    assert world.runs.queue("semaphore", limit=9) == ("10#c", "2#b")
    assert world.runs.queue("other", limit=9) == ()
