"""What the memory world offers besides the ports: a clock that can be moved, ids that repeat, messages that wait."""

from __future__ import annotations

from dagy.core.sizes import Size
from dagy_runtime.adapters.memory import Delivery, FakeClock, MemoryBlobs, SeededIds, world
from dagy_runtime.messages import AdvanceRun, Reconcile


def test_time_stands_still_until_it_is_advanced():
    clock = FakeClock(100.0)
    assert (clock.now(), clock.advance(2.5), clock.now()) == (100.0, 102.5, 102.5)


def test_two_worlds_of_the_same_seed_make_the_same_ids_and_another_seed_others():
    first, second, other = (SeededIds(FakeClock(), seed=seed) for seed in (7, 7, 8))
    made = [[ids.unique(), ids.unique(), ids.secret()] for ids in (first, second, other)]
    assert made[0] == made[1]
    assert not set(made[0]) & set(made[2])


def test_ports_can_be_replaced_and_the_rest_follows_the_clock_given():
    clock, blobs = FakeClock(5.0), MemoryBlobs(bucket="mine")
    ports = world(clock=clock, blobs=blobs)
    assert (ports.clock, ports.blobs) == (clock, blobs)
    ports.timers.to_control_at(Reconcile(), at=6.0, name="n")
    assert ports.timers.deliver_due(lambda _: None) == 0
    clock.advance(1.0)
    assert ports.timers.deliver_due(lambda _: None) == 1


def test_messages_are_delivered_once_in_order_with_what_they_bring_about():
    dispatcher, seen = world().dispatcher, []

    def handle(delivery: Delivery) -> None:
        seen.append(delivery)
        if isinstance(delivery.message, AdvanceRun) and delivery.message.hop < 2:
            dispatcher.to_runtime(Size.NANO, AdvanceRun("one", delivery.message.hop + 1))

    dispatcher.to_runtime(Size.NANO, AdvanceRun("one"))
    dispatcher.to_control(Reconcile())
    assert dispatcher.deliver_all(handle) == 4
    expected = [AdvanceRun("one", 0), Reconcile(), AdvanceRun("one", 1), AdvanceRun("one", 2)]
    assert [delivery.message for delivery in seen] == expected
    assert [delivery.size for delivery in seen] == [Size.NANO, None, Size.NANO, Size.NANO]
    assert dispatcher.sent == seen
    assert dispatcher.deliver_all(handle) == 0


def test_timers_are_delivered_earliest_first_when_due_and_a_name_only_once():
    ports = world()
    now = ports.clock.now()
    for name, after in (("c", 30), ("a", 10), ("b", 20), ("a", 1)):
        ports.timers.to_runtime_at(Size.NANO, AdvanceRun(name), at=now + after, name=name)
    seen: list[str] = []

    def handle(delivery: Delivery) -> None:
        seen.append(delivery.name or "")

    assert ports.timers.next_at() == now + 10
    ports.clock.advance(20)
    assert (ports.timers.deliver_due(handle), seen) == (2, ["a", "b"])
    ports.timers.to_runtime_at(Size.NANO, AdvanceRun("a"), at=now, name="a")
    assert ports.timers.deliver_due(handle) == 0
    ports.clock.advance(10)
    assert (ports.timers.deliver_due(handle), seen, ports.timers.next_at()) == (1, ["a", "b", "c"], None)
