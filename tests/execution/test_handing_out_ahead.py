"""Tasks that are handed out before a worker is free for them have not started: nobody can tell them from those that
were not handed out at all.
"""

from __future__ import annotations

import threading
import time

import pytest

from dagy import flow, task
from dagy.execution.recorder import Cancelled, Control, Failed, Finished, HandedBack, Succeeded
from dagy.execution.timing import Timing, wait_for_message


@task
def number(x: int) -> int:
    return x


@flow
def wide(count: int = 20):
    return [number(x) for x in range(count)]


@pytest.mark.parametrize("workers", [1, 3])
def test_at_most_as_many_run_as_there_are_workers(run, workers):
    lock, running, most = threading.Lock(), [0], [0]
    together = threading.Barrier(workers)

    @task
    def busy(x: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait(timeout=10)
        with lock:
            running[0] -= 1

    @flow
    def crowded():
        for x in range(workers * 6):
            busy(x)

    assert isinstance(run(crowded, max_workers=workers, ahead=64).outcome, Succeeded)
    assert most[0] == workers


def test_with_one_worker_they_run_in_the_flows_order(run):
    ran = run(wide, ahead=7)
    assert ran.notes.ids("started") == [f"number-{n}" for n in range(1, 21)]


@pytest.mark.parametrize("round", range(30))
def test_nothing_starts_after_a_failure(run, round):
    """Not even in the moment before the runner hears of it."""

    @task
    def fails_at(x: int, wrong: int) -> int:
        if x == wrong:
            raise ValueError(f"{x}")
        return x

    @flow
    def failing():
        return [fails_at(x, round) for x in range(60)]

    ran = run(failing, max_workers=1, ahead=64)
    assert isinstance(ran.outcome, Failed)
    assert len(ran.notes.ids("started")) == round + 1
    assert ran.notes.ids("cancelled") == [f"fails_at-{n}" for n in range(round + 2, 61)]


def test_the_time_of_a_task_is_not_spent_waiting_for_a_worker(run):
    @task
    def slow() -> None:
        time.sleep(0.3)

    @task(timeout_seconds=0.2)
    def timed(x: int) -> int:
        return x

    @flow
    def mixed():
        slow()
        return [timed(x) for x in range(5)]

    assert run(mixed, max_workers=1, ahead=64, real_time=True).value == list(range(5))


def test_a_stuck_task_does_not_keep_those_behind_it_from_running(run, gate):
    @task(timeout_seconds=0.1)
    def stuck() -> None:
        gate.wait()

    @flow
    def mixed():
        stuck()
        return wide()

    ran = run(mixed, max_workers=1, ahead=64, fail_fast=False, real_time=True)
    assert isinstance(ran.outcome, Failed)
    assert len(ran.notes.ids("succeeded")) == 20


def test_a_drained_run_hands_them_back(run, notes):
    control = Control()
    is_drained = threading.Event()

    def wait(*args):
        if control.is_draining:  # the runner has looked at everything since
            is_drained.set()
        return wait_for_message(*args)

    def on_started(id: str) -> None:
        if id == "number-4":
            control.drain()
            assert is_drained.wait(30)

    notes.on_started = on_started
    first = run(wide, control=control, max_workers=1, ahead=64, timing=Timing(wait=wait))
    assert first.outcome == HandedBack(0.0)
    done = frozenset(notes.ids("succeeded"))
    assert done == {"number-1", "number-2", "number-3", "number-4"}
    assert notes.ids("cancelled") == []

    notes.on_started = lambda id: None
    notes.earlier = dict(notes.results)
    second = run(wide, finished=Finished(succeeded=done), max_workers=2, ahead=64)
    assert second.value == list(range(20))
    assert sorted(notes.ids("started")) == sorted(f"number-{n}" for n in range(1, 21))


def test_a_cancelled_run_cancels_them(run, notes, gate):
    control = Control()

    @task
    def stuck() -> None:
        control.cancel("enough")
        gate.wait()

    @flow
    def cancelled():
        stuck()
        return wide()

    ran = run(cancelled, control=control, max_workers=1, ahead=64, real_time=True)
    assert ran.outcome == Cancelled("enough")
    assert notes.ids("started") == ["stuck-1"]
    assert len(notes.ids("cancelled")) == 21


def test_they_run_when_the_flow_is_tried_again_and_count_one_attempt(run):
    attempts = [0]

    @task
    def fails_first() -> None:
        attempts[0] += 1
        if attempts[0] == 1:
            raise ValueError("not yet")

    @flow(retries=1)
    def retried():
        fails_first()
        return wide()

    ran = run(retried, max_workers=1, ahead=64)
    assert ran.value == list(range(20))
    assert {told[2] for told in ran.notes.told if told[0] == "started" and told[1] != "fails_first-1"} == {1}


def test_a_tasks_own_limit_holds(run):
    lock, running, most = threading.Lock(), [0], [0]

    @task(concurrency_limit=2)
    def limited(x: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.001)
        with lock:
            running[0] -= 1

    @flow
    def narrow():
        for x in range(20):
            limited(x)

    assert isinstance(run(narrow, max_workers=4, ahead=64).outcome, Succeeded)
    assert most[0] <= 2


def test_no_thread_is_left(run):
    before = set(threading.enumerate())
    run(wide, max_workers=4, ahead=64)
    run(wide, 200, max_workers=2, ahead=64)
    assert set(threading.enumerate()) == before
