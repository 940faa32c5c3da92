"""Drain, cancel, Ctrl-C: how others end a run before its time."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from dagy import flow, task
from dagy.execution.recorder import Cancelled, Control, Failed, Finished, HandedBack, Succeeded


@task
def number(x: int) -> int:
    return x


@flow
def three_in_a_row():
    return number(number(number(1)))


def test_a_drained_run_hands_the_rest_back_and_another_process_goes_on(run, notes):
    control = Control()
    notes.on_succeeded = lambda id: control.drain()
    first = run(three_in_a_row, control=control)
    assert first.outcome == HandedBack(0.0)
    assert notes.ids("succeeded") == ["number-1"]
    assert notes.ids("cancelled") == notes.ids("skipped") == []

    notes.on_succeeded = lambda id: None
    notes.earlier = dict(notes.results)
    second = run(three_in_a_row, finished=Finished(succeeded=frozenset({"number-1"})))
    assert second.value == 1
    assert notes.ids("started") == ["number-1", "number-2", "number-3"]


def test_a_run_that_is_drained_at_its_last_task_just_ends(run, notes):
    control = Control()
    notes.on_started = lambda id: control.drain() if id == "number-3" else None
    assert run(three_in_a_row, control=control).value == 1


def test_a_drained_run_hands_a_waiting_retry_back_with_its_time(run, notes):
    @task(retries=1, retry_delay_seconds=90)
    def fails():
        control.drain()
        raise ValueError("no")

    @flow
    def retried():
        fails()

    control = Control()
    assert run(retried, control=control).outcome == HandedBack(90.0)
    assert notes.ids("retrying") == ["fails-1"]


@pytest.mark.parametrize(
    "delay_s, is_waited_out", [pytest.param(1.5, True, id="a short one"), pytest.param(2.5, False, id="a long one")]
)
def test_a_retry_is_waited_out_only_when_it_is_near(run, delay_s, is_waited_out):
    @task(retries=1, retry_delay_seconds=delay_s)
    def fails():
        raise ValueError("no")

    @flow
    def retried():
        fails()

    ran = run(retried, longest_wait_s=2.0)
    if is_waited_out:
        assert isinstance(ran.outcome, Failed)
    else:
        assert ran.outcome == HandedBack(delay_s)


def test_a_long_wait_does_not_stop_what_can_run_meanwhile(run):
    @task(retries=1, retry_delay_seconds=90)
    def fails():
        raise ValueError("no")

    @flow
    def mixed():
        fails()
        return three_in_a_row()

    ran = run(mixed, longest_wait_s=2.0)
    assert ran.outcome == HandedBack(90.0)
    assert len(ran.notes.ids("succeeded")) == 3


def test_a_cancelled_run_starts_nothing_more_and_gives_up_what_runs(run, notes, gate):
    control = Control()

    @task
    def stuck() -> int:
        control.cancel("no longer wanted")
        gate.wait()
        return 1

    @flow
    def cancelled():
        return number(stuck())

    ran = run(cancelled, control=control, real_time=True)
    assert ran.outcome == Cancelled("no longer wanted")
    assert notes.ids("cancelled") == ["stuck-1", "number-1"]
    assert notes.ids("succeeded") == []


def test_a_run_cancelled_before_it_began_runs_nothing(run, notes):
    control = Control()
    control.cancel("too late")
    assert run(three_in_a_row, control=control).outcome == Cancelled("too late")
    assert notes.ids("started") == []
    assert notes.ids("cancelled") == ["number-1", "number-2", "number-3"]


def test_completion_and_cancel_race_and_one_of_them_wins(run, notes):
    """A result that is already on its way to the recorder is accepted; what comes after is cancelled."""
    control = Control()
    notes.on_succeeded = lambda id: control.cancel("now")
    assert run(three_in_a_row, control=control).outcome == Cancelled("now")
    assert notes.ids("succeeded") == ["number-1"]
    assert notes.ids("cancelled") == ["number-2", "number-3"]


def test_ctrl_c_ends_the_run_as_cancelled_and_pythons_handler_is_back(run, notes, gate):
    @task
    def stuck() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        gate.wait()

    @flow
    def interrupted():
        stuck()

    ran = run(interrupted, real_time=True)
    assert ran.outcome == Cancelled("interrupted by Ctrl-C")
    assert notes.ids("cancelled") == ["stuck-1"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_heard_also_when_the_system_gives_it_to_another_thread(run, notes, gate):
    """Its handler is the main thread's to run, which waits for a message that no task will send."""

    @task
    def stuck() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        gate.wait()

    @flow
    def interrupted():
        stuck()

    assert run(interrupted, real_time=True).outcome == Cancelled("interrupted by Ctrl-C")
    assert notes.ids("cancelled") == ["stuck-1"]


def test_somebody_elses_handling_of_ctrl_c_is_respected(run):
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))

    @task
    def interrupts() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    @flow
    def interrupted():
        interrupts()

    try:
        assert isinstance(run(interrupted).outcome, Succeeded)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_run_in_another_thread_does_not_touch_signals(run):
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run(three_in_a_row).outcome))
    thread.start()
    thread.join(30)
    assert isinstance(outcomes[0], Succeeded)


def test_no_thread_is_left_when_a_run_ends(run):
    run(three_in_a_row, max_workers=3)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("dagy-worker")] == []
