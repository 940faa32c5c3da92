"""What follows a failure: retries, timeouts, fail-fast, skipping, the flow's own retries, and what users see of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from dagy import flow, task
from dagy.core.errors import ArtifactSerializationError
from dagy.execution.recorder import Failed, Finished, HandedBack, Succeeded
from dagy.execution.timing import Timing, wait_for_message

BOOM = ValueError("boom")


def flow_of(*calls):
    """A flow that makes these calls, each with no dependency."""

    @flow
    def made():
        return [call() for call in calls]

    return made


def failing_times(times: int, error: BaseException = BOOM, **settings):
    """A task that fails so many times and then gives the number of its attempts."""
    made = [0]

    @task(**settings)
    def flaky() -> int:
        made[0] += 1
        if made[0] <= times:
            raise error
        return made[0]

    return flaky


@pytest.mark.parametrize(
    "settings, chance, delays_s",
    [
        pytest.param({}, 0.0, [0.0, 0.0], id="at once when no delay is given"),
        pytest.param({"retry_delay_seconds": 5}, 0.0, [5.0, 5.0], id="after a fixed delay"),
        pytest.param({"retry_delay_seconds": [1, 30]}, 0.0, [1.0, 30.0], id="after a delay for each attempt"),
        pytest.param({"retry_delay_seconds": [7]}, 0.0, [7.0, 7.0], id="after the last delay of a short list"),
        pytest.param({"retry_delay_seconds": lambda n: 10.0 * n}, 0.0, [10.0, 20.0], id="after what a function says"),
        pytest.param(
            {"retry_delay_seconds": 4, "retry_jitter_factor": 0.5}, 0.5, [5.0, 5.0], id="with a share of chance"
        ),
    ],
)
def test_a_task_is_retried(run, settings, chance, delays_s):
    ran = run(flow_of(failing_times(2, retries=2, **settings)), chance=chance)
    assert ran.value == [3]
    assert [told[3] for told in ran.notes.told if told[0] == "retrying"] == delays_s
    assert ran.time.waited_s == [delay for delay in delays_s if delay]


def test_a_task_that_keeps_failing_fails_after_its_retries(run):
    ran = run(flow_of(failing_times(9, retries=2)))
    assert isinstance(ran.outcome, Failed)
    assert (ran.outcome.failure.error_type, ran.outcome.failure.message) == ("ValueError", "boom")
    assert ran.outcome.error is BOOM
    assert [told[0] for told in ran.notes.told] == ["started", "retrying", "started", "retrying", "started", "failed"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"retry_condition_fn": lambda error: False}, id="when the condition declines"),
        pytest.param({"retry_condition_fn": lambda error: 1 / 0}, id="when the condition itself fails"),
        pytest.param({"retry_delay_seconds": lambda n: "soon"}, id="when the delay makes no sense"),
    ],
)
def test_there_is_no_retry(run, settings):
    ran = run(flow_of(failing_times(1, retries=3, **settings)))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.failure.message == "boom"
    assert ran.notes.ids("started") == ["flaky-1"]


def test_a_waiting_retry_holds_no_worker(run):
    order = []
    waits = failing_times(1, retries=1, retry_delay_seconds=60)

    @task
    def other() -> None:
        order.append("other")

    ran = run(flow_of(waits, other))
    assert isinstance(ran.outcome, Succeeded)
    assert ran.notes.ids("started") == ["flaky-1", "other-1", "flaky-1"]


@pytest.mark.parametrize(
    "error, error_type, message",
    [
        pytest.param(SystemExit(3), "SystemExit", "SystemExit: 3", id="sys.exit"),
        pytest.param(ValueError(42), "ValueError", "ValueError: 42", id="an error that says only a number"),
        pytest.param(KeyboardInterrupt(), "KeyboardInterrupt", "KeyboardInterrupt", id="KeyboardInterrupt"),
        pytest.param(BaseException("base"), "BaseException", "base", id="any BaseException"),
        pytest.param(KeyError("key"), "KeyError", "KeyError: 'key'", id="an error that says only a key"),
        pytest.param(ValueError(), "ValueError", "ValueError", id="an error without words"),
    ],
)
def test_whatever_is_raised_fails_the_task_and_not_the_runner(run, error, error_type, message):
    ran = run(flow_of(failing_times(9, error)))
    assert isinstance(ran.outcome, Failed)
    assert (ran.outcome.failure.error_type, ran.outcome.failure.message) == (error_type, message)


def test_a_request_to_stop_is_not_retried(run):
    ran = run(flow_of(failing_times(1, SystemExit(1), retries=3)))
    assert ran.notes.ids("started") == ["flaky-1"]


def test_the_traceback_begins_with_the_authors_code(run):
    @task
    async def outer() -> None:
        try:
            {}["missing"]
        except KeyError as error:
            raise RuntimeError("no such thing") from error

    ran = run(flow_of(outer))
    text = ran.outcome.failure.traceback
    assert "KeyError: 'missing'" in text
    assert "RuntimeError: no such thing" in text
    assert "sdk/dagy/" not in text
    assert "asyncio" not in text
    assert text.count("test_failures_and_retries.py") == 2
    assert text.splitlines() == ran.notes.log_of("outer-1")


# --- timeouts -----------------------------------------------------------------------------------------------


def test_a_task_over_its_time_fails_and_frees_its_worker(run, gate):
    @task(timeout_seconds=0.05)
    def stuck() -> str:
        gate.wait()
        return "late"

    @task
    def after() -> int:
        return 1

    ran = run(flow_of(stuck, after), fail_fast=False, real_time=True)
    assert ran.outcome.failure.error_type == "TaskTimeoutError"
    assert ran.outcome.failure.message == "Task exceeded timeout of 0.05s"
    assert ran.notes.values() == {"after-1": 1}


def test_a_late_result_and_late_words_are_dropped(run, gate):
    finished = threading.Event()

    @task(timeout_seconds=0.05)
    def stuck() -> str:
        print("early")
        gate.wait()
        print("late")
        finished.set()
        return "late"

    ran = run(flow_of(stuck), real_time=True)
    told = list(ran.notes.told)
    gate.set()
    assert finished.wait(10)
    _join_threads()
    assert ran.notes.told == told
    assert ran.notes.values() == {}
    assert ran.notes.log_of("stuck-1")[0] == "early"
    assert "late" not in ran.notes.log_of("stuck-1")


def test_a_timeout_is_retried_like_any_failure(run, gate):
    attempts = []

    @task(timeout_seconds=0.05, retries=1)
    def stuck_once() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            gate.wait()
        return "second"

    ran = run(flow_of(stuck_once), real_time=True)
    assert ran.value == ["second"]
    assert [told[0] for told in ran.notes.told] == ["started", "retrying", "started", "succeeded"]


def test_a_task_within_its_time_is_not_disturbed(run):
    @task(timeout_seconds=30)
    def quick() -> int:
        return 1

    assert run(flow_of(quick), real_time=True).value == [1]


def test_a_stuck_task_does_not_keep_the_process_from_ending(tmp_path):
    script = tmp_path / "stuck.py"
    script.write_text(
        "import time\n"
        "from dagy import flow, task\n"
        "@task(timeout_seconds=0.05)\n"
        "def stuck():\n    time.sleep(3600)\n"
        "@flow\n"
        "def stuck_flow():\n    stuck()\n"
        "try:\n    stuck_flow.run_local()\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "DAGY_LOCAL_DIR": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "TaskTimeoutError\n", done.stderr
    assert time.monotonic() - began < 50


# --- what becomes of the others -----------------------------------------------------------------------------


def test_fail_fast_cancels_what_has_not_started_and_records_what_runs(run):
    waits_of_the_runner = count()
    is_failure_known = threading.Event()

    def wait(*args):
        if next(waits_of_the_runner) == 1:  # the first wait gave it the failure: nothing else could end before
            is_failure_known.set()
        return wait_for_message(*args)

    @task
    def fails() -> None:
        raise BOOM

    @task
    def runs() -> str:
        assert is_failure_known.wait(30)
        return "done"

    @task
    def waits(x: str) -> str:
        return x

    @flow
    def mixed():
        fails()
        value = runs()
        return [waits(value) for _ in range(3)]

    ran = run(mixed, max_workers=2, timing=Timing(wait=wait))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.task_run_id == "fails-1"
    assert ran.notes.values() == {"runs-1": "done"}
    assert ran.notes.ids("cancelled") == ["waits-1", "waits-2", "waits-3"]
    assert ("cancelled", "waits-1", "'fails-1' failed") in ran.notes.told


def test_without_fail_fast_only_dependents_are_skipped(run):
    @task
    def value(x: int) -> int:
        if x < 0:
            raise BOOM
        return x

    @flow
    def two_branches():
        bad, good = value(-1), value(1)
        value(value(bad))
        return value(good)

    ran = run(two_branches, fail_fast=False)
    assert isinstance(ran.outcome, Failed)
    assert ran.notes.told[-1][0] == "succeeded"
    assert ran.notes.ids("skipped") == ["value-3", "value-4"]
    assert ("skipped", "value-4", "'value-1' failed") in ran.notes.told


@pytest.mark.parametrize(
    "fail_fast, told", [pytest.param(True, "cancelled", id="fail fast"), pytest.param(False, "skipped", id="go on")]
)
def test_a_failure_of_an_earlier_execution_still_counts(run, fail_fast, told):
    @task
    def first() -> int:
        return 1

    @task
    def second(x: int) -> int:
        return x

    @flow
    def resumed():
        return second(first())

    ran = run(resumed, fail_fast=fail_fast, finished=Finished(failed=frozenset({"first-1"})))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.task_run_id == "first-1"
    assert ran.notes.ids("started") == []
    assert ran.notes.ids(told) == ["second-1"]


def test_a_result_that_the_recorder_refuses_fails_the_task(run, notes):
    def refuse(id: str) -> None:
        raise ArtifactSerializationError("too large")

    notes.on_succeeded = refuse
    ran = run(flow_of(failing_times(0, retries=3)))
    assert isinstance(ran.outcome, Failed)
    assert "too large" in ran.outcome.failure.message
    assert ran.notes.ids("failed") == ["flaky-1"]


def test_a_broken_recorder_ends_the_run_with_its_error(run, notes):
    def full(id: str) -> None:
        raise OSError("disk full")

    notes.on_started = full
    with pytest.raises(OSError, match="disk full"):
        run(flow_of(failing_times(0)))


# --- the flow's own retries ---------------------------------------------------------------------------------


def flow_with_retries(flaky, **settings):
    @task
    def once() -> int:
        return 10

    @task
    def add(*numbers: int) -> int:
        return sum(numbers)

    @flow(**settings)
    def retried():
        return add(once(), flaky())

    return retried


@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_flows_retry_keeps_finished_tasks(run, fail_fast):
    ran = run(flow_with_retries(failing_times(2), retries=2, retry_delay_seconds=30), fail_fast=fail_fast)
    assert ran.value == 13
    assert ran.notes.ids("started") == ["once-1", "flaky-1", "flaky-1", "flaky-1", "add-1"]
    assert ran.time.waited_s == [30.0, 30.0]
    assert ran.notes.ids("failed") == ran.notes.ids("skipped") == ran.notes.ids("cancelled") == []


def test_a_tasks_retries_begin_anew_with_each_attempt_of_the_flow(run):
    ran = run(flow_with_retries(failing_times(9, retries=1), retries=1))
    assert isinstance(ran.outcome, Failed)
    assert [told[2] for told in ran.notes.told if told[:2] == ("started", "flaky-1")] == [1, 2, 3, 4]
    assert ran.notes.ids("failed") == ["flaky-1"]


def test_a_flows_condition_decides_about_its_retries(run):
    ran = run(flow_with_retries(failing_times(1), retries=3, retry_condition_fn=lambda e: isinstance(e, OSError)))
    assert isinstance(ran.outcome, Failed)
    assert ran.notes.ids("started") == ["once-1", "flaky-1"]


def test_attempts_of_the_flow_are_counted_across_processes(run, notes):
    retried = flow_with_retries(failing_times(9), retries=1, retry_delay_seconds=60)
    first = run(retried, longest_wait_s=2.0)
    assert first.outcome == HandedBack(60.0, flow_attempt=2)
    notes.earlier = dict(notes.results)
    used = (("flaky-1", 1),)
    finished = Finished(frozenset(notes.results), attempts=used, attempts_before=used, flow_attempt=2)
    second = run(retried, longest_wait_s=2.0, finished=finished)
    assert isinstance(second.outcome, Failed)
    assert notes.ids("started") == ["once-1", "flaky-1", "flaky-1"]


def test_a_tasks_own_retries_are_counted_across_processes_in_each_attempt_of_the_flow(run, notes):
    retried = flow_with_retries(failing_times(99, retries=1, retry_delay_seconds=60), retries=1, retry_delay_seconds=60)
    finished, before = Finished(), 0
    for flow_attempt in (1, 2, 2):
        outcome = run(retried, longest_wait_s=2.0, finished=finished).outcome
        assert outcome == HandedBack(60.0, flow_attempt)
        notes.earlier = dict(notes.results)
        used = len([told for told in notes.told if told[:2] == ("started", "flaky-1")])
        before = used if flow_attempt > finished.flow_attempt else before
        finished = Finished(
            frozenset(notes.earlier),
            attempts=(("flaky-1", used),),
            attempts_before=(("flaky-1", before),),
            flow_attempt=flow_attempt,
        )
    assert isinstance(run(retried, longest_wait_s=2.0, finished=finished).outcome, Failed)
    assert [told[2] for told in notes.told if told[:2] == ("started", "flaky-1")] == [1, 2, 3, 4]


def test_a_flows_retry_is_handed_back_however_near_where_that_is_asked_for(run):
    calls: list[int] = []
    settings = {"retries": 1, "on_retry": [lambda context, state: calls.append(context.attempt)]}
    ran = run(flow_with_retries(failing_times(9), **settings), hands_back_flow_retries=True)
    assert ran.outcome == HandedBack(0.0, flow_attempt=2)
    assert ran.notes.ids("started") == ["once-1", "flaky-1"]
    assert calls == [2]


def _join_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("dagy-"):
            thread.join(10)
