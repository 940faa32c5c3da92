"""Time in tests: it passes when nobody works, at once, and always by the same amounts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from dagy import InvalidInput, TaskTimeoutError, flow, task
from dagy.testing import FakeClock, fail_task, run_in_memory, slow_task


@task
def work(x: int = 0) -> int:
    return x


@task(timeout_seconds=60, retries=1, retry_delay_seconds=10)
def limited() -> str:
    return "in time"


@flow
def limited_flow() -> str:
    return limited()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    "slow, durations_s, duration_s",
    [
        pytest.param(slow_task("limited", 59.9), (59.9,), 59.9, id="just in time"),
        pytest.param(slow_task("limited", 60, times=1), (60.0, 0.0), 70.0, id="just too late, then in time"),
        pytest.param(slow_task("limited", 1e6, times=1), (60.0, 0.0), 70.0, id="far too late, then in time"),
    ],
)
def test_a_slow_task_is_timed_out_by_the_clock(slow: Any, durations_s: Any, duration_s: float) -> None:
    run = run_in_memory(limited_flow, given=[slow])
    assert run.result == "in time"
    assert run.task("limited").durations_s == durations_s
    assert run.duration_s == duration_s


def test_a_task_that_is_always_too_slow_fails_with_the_timeout() -> None:
    began = time.monotonic()
    run = run_in_memory(limited_flow, given=[slow_task(limited, 3600)])
    run.assert_failed(TaskTimeoutError, match="60s", task="limited")
    assert run.task("limited").attempts == 2
    assert run.duration_s == 130.0
    assert time.monotonic() - began < 30


def test_no_thread_stays_behind() -> None:
    before = set(threading.enumerate())
    run_in_memory(limited_flow, given=[slow_task(limited, 3600)], max_workers=2)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_a_task_that_really_hangs_is_timed_out_too(gate: threading.Event) -> None:
    @task(timeout_seconds=0.05)
    def hangs() -> None:
        gate.wait()

    @flow
    def hanging() -> None:
        hangs()

    run = run_in_memory(hanging)
    run.assert_failed(TaskTimeoutError)
    assert run.task("hangs").durations_s == (0.05,)


def test_side_by_side_tasks_take_as_long_as_the_slowest() -> None:
    @flow
    def wide() -> list[int]:
        return [work(x) for x in range(4)]

    slow = [slow_task("work", 10), slow_task("work-4", 25)]
    assert run_in_memory(wide, given=slow, max_workers=4).duration_s == 25.0
    assert run_in_memory(wide, given=slow, max_workers=1).duration_s == 55.0
    two = run_in_memory(wide, given=slow, max_workers=2)
    assert [(task.started_at_s, task.ended_at_s) for task in two.tasks] == [(0, 10), (0, 10), (10, 20), (10, 35)]


def test_what_ends_at_one_moment_ends_in_the_flows_order() -> None:
    @task(concurrency_limit=2, timeout_seconds=20, retries=1, retry_delay_seconds=7)
    def first(x: int) -> int:
        return x

    @flow
    def crowded() -> list[int]:
        return [work(first(x)) for x in range(8)]

    given = [slow_task(f"first-{n}", (0, 5, 30, 5)[n % 4], times=1) for n in range(1, 9)]
    given += [slow_task(f"work-{n}", (3, 0, 9)[n % 3]) for n in range(1, 9)]
    seen = {
        tuple((task.started_at_s, task.ended_at_s) for task in run_in_memory(crowded, given=given, max_workers=3).tasks)
        for _ in range(20)
    }
    assert len(seen) == 1


def test_tasks_may_wait_for_each_other_behind_the_flows_back() -> None:
    """Even for one that can only start after a third has ended."""
    met = threading.Event()

    @task
    def waits() -> bool:
        return met.wait(timeout=20)

    @task
    def meets(x: int) -> None:
        met.set()

    @flow
    def meeting() -> bool:
        meets(work(1))
        return waits()

    assert run_in_memory(meeting, max_workers=2).result is True


def test_what_runs_meanwhile_does_not_wait_for_a_retry() -> None:
    @task(retries=1, retry_delay_seconds=100)
    def flaky() -> None: ...

    @flow
    def mixed() -> None:
        flaky()
        for _ in range(3):
            work()

    run = run_in_memory(mixed, given=[fail_task("flaky", times=1), slow_task("work", 20)])
    assert [run.task(f"work-{n}").ended_at_s for n in (1, 2, 3)] == [20.0, 40.0, 60.0]
    assert run.task("flaky").ended_at_s == run.duration_s == 100.0


def test_a_limit_of_a_task_holds_in_time() -> None:
    @task(concurrency_limit=2)
    def narrow() -> None: ...

    @flow
    def limited_width() -> None:
        for _ in range(6):
            narrow()

    run = run_in_memory(limited_width, given=[slow_task("narrow", 10)], max_workers=6)
    assert run.duration_s == 30.0


def test_a_task_that_polls_sleeps_on_the_clock_it_is_given() -> None:
    clock = FakeClock()
    asked: list[float] = []

    @task(timeout_seconds=300)
    def poll() -> int:
        while len(asked) < 5:
            asked.append(clock.now_s)
            clock.sleep(30)
        return len(asked)

    @flow
    def polling() -> int:
        return poll()

    run = run_in_memory(polling, clock=clock)
    assert run.result == 5
    assert asked == [0.0, 30.0, 60.0, 90.0, 120.0]
    assert run.duration_s == clock.now_s == 150.0


def test_a_poll_without_end_is_timed_out() -> None:
    clock = FakeClock()

    @task(timeout_seconds=300)
    def poll() -> None:
        while True:
            clock.sleep(30)

    @flow
    def polling() -> None:
        poll()

    run_in_memory(polling, clock=clock).assert_failed(TaskTimeoutError)
    assert clock.now_s == 300.0


def test_a_clock_goes_on_from_run_to_run_and_each_run_counts_from_its_start() -> None:
    clock = FakeClock()
    clock.sleep(1000)
    for _ in range(2):
        run = run_in_memory(limited_flow, clock=clock, given=[slow_task("limited", 5)])
        assert (run.task("limited").started_at_s, run.duration_s) == (0.0, 5.0)
    assert clock.now_s == 1010.0


def test_hooks_may_sleep_too() -> None:
    clock = FakeClock()

    @task(on_completion=[lambda context, state: clock.sleep(7)])
    def announced() -> None: ...

    @flow(on_completion=[lambda context, state: clock.sleep(3)])
    def hooked() -> None:
        announced()

    run = run_in_memory(hooked, clock=clock)
    run.assert_succeeded()
    assert clock.now_s == 10.0
    assert run.task("announced").durations_s == (0.0,)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_sleep_that_never_ends_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidInput, match="sleep for 0 seconds or more"):
        FakeClock().sleep(seconds)


@over(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 4))
def test_a_run_takes_as_long_as_a_list_of_jobs_on_so_many_machines(seconds: list[int], max_workers: int) -> None:
    @flow
    def jobs() -> None:
        for x in range(len(seconds)):
            work(x)

    given = [slow_task(f"work-{at}", each) for at, each in enumerate(seconds, 1)]
    free_at = [0] * max_workers
    for each in seconds:
        free_at.sort()
        free_at[0] += each
    run = run_in_memory(jobs, given=given, max_workers=max_workers)
    assert run.duration_s == max(free_at)
    assert [task.durations_s for task in run.tasks] == [(float(each),) for each in seconds]
