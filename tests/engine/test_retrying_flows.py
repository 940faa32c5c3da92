"""A flow's own retries, and its tasks', are counted once, whoever goes on with the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.engine.advance import HandedOver, Ignored
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.engine.rescue_timer import PERIOD_S
from dagy_runtime.messages import AdvanceRun

BRISK = Pacing(check_s=0.05, flush_s=0.05, cancel_grace_s=0.5)

FAILING = """
    from dagy import flow, task

    @task({task})
    def bad() -> int:
        print("body")
        raise ValueError("never")

    @flow({flow})
    def retried():
        return bad()
"""


def bodies(stage) -> int:
    return sum('"body"' in line for line in stage.console)


@pytest.mark.parametrize(
    "task, flow, expected",
    [
        pytest.param("", "retries=2", 3, id="at once"),
        pytest.param("", "retries=2, retry_delay_seconds=0.5", 3, id="after a moment"),
        pytest.param("", "retries=2, retry_delay_seconds=600", 3, id="after a while"),
        pytest.param(
            "retries=1, retry_delay_seconds=600", "retries=2, retry_delay_seconds=600", 6, id="with its tasks'"
        ),
        pytest.param("retries=1", "retries=1, retry_delay_seconds=600", 4, id="with its tasks' at once"),
    ],
)
def test_a_flow_is_tried_as_often_as_its_author_said(stage, task, flow, expected):
    run = stage.run_to_end(FAILING.format(task=task, flow=flow))

    assert (run.status, run.problem.error_type) == (Status.FAILED, "ValueError")
    assert bodies(stage) == expected
    assert stage.tasks(run.id)["bad-1"].attempt == expected


def test_each_attempt_of_a_flow_begins_after_its_delay_and_calls_its_hook_once(stage):
    run_id = stage.submit(
        stage.deploy("""
            from dagy import flow, task

            @task
            def bad() -> int:
                raise ValueError("never")

            def note(context, state):
                print(f"hook {context.attempt}")

            @flow(retries=2, retry_delay_seconds=[1.5, 90], on_retry=[note])
            def retried():
                return bad()
        """)
    )
    began_at = stage.clock.now()
    stage.until_quiet()

    waits = [advanced.wait_s for advanced in stage.advanced if isinstance(advanced, HandedOver)]
    assert waits == [pytest.approx(1.5, abs=0.2), pytest.approx(90, abs=0.2)]
    assert stage.clock.now() - began_at >= 91
    assert [line for line in stage.log(run_id) if line.startswith("hook")] == ["hook 2", "hook 3"]


def messages_that_know_nothing(stage, run_id: str) -> list[AdvanceRun]:
    """Those that the reconciler and AWS's repeats bring, whatever the run has come to."""
    return [AdvanceRun(run_id), AdvanceRun(run_id, hop=stage.run(run_id).hops)]


@pytest.mark.parametrize("which", [0, 1], ids=["the first message again", "a rescue"])
def test_a_message_that_knows_nothing_goes_on_with_the_attempt_that_the_run_has_come_to(stage, which):
    run_id = stage.submit(stage.deploy(FAILING.format(task="", flow="retries=1, retry_delay_seconds=60")))
    stage.deliver()
    stage.ports.timers.waiting.clear()  # the timer is lost

    for _ in range(10):
        stage.clock.advance(60 + 2 * PERIOD_S)
        stage.advance(messages_that_know_nothing(stage, run_id)[which])

    assert stage.run(run_id).status is Status.FAILED
    assert bodies(stage) == 2


def test_an_attempt_that_ran_out_of_time_is_not_counted_anew(stage, tmp_path):
    """A flow whose second attempt is cut off by the function's end goes on with the second, not with the first."""
    started = tmp_path / "started"
    run_id = stage.submit(
        stage.deploy("""
            from pathlib import Path
            from dagy import flow, task

            @task
            def steps(started: str, number: int) -> int:
                with open(started, "a") as diary:
                    diary.write(f"{number}\\n")
                return number

            @task
            def long(started: str, before: int) -> int:
                with open(started, "a") as diary:
                    diary.write("long\\n")
                while Path(started).read_text().count("long") == 2:
                    pass
                raise ValueError("never")

            @flow(retries=1)
            def retried(started: str):
                return long(started, steps(started, 1))
        """),
        {"started": str(started)},
    )

    def budget() -> Callable[[], float]:
        return lambda: 1.0 if started.exists() and started.read_text().count("long") == 2 else 900.0

    def cut_off(_: object) -> None:
        stage.advance(AdvanceRun(run_id, hop=stage.run(run_id).hops), budget=budget)

    for _ in range(6):
        stage.ports.dispatcher.deliver_all(cut_off)
    stage.until_quiet()

    assert stage.run(run_id).status is Status.FAILED
    assert started.read_text().split().count("long") <= 3


def test_a_function_that_dies_before_it_handed_an_attempt_on_costs_one_more_start(stage):
    run_id = stage.submit(stage.deploy(FAILING.format(task="", flow="retries=1, retry_delay_seconds=60")))

    class Dying:
        def __getattr__(self, name):
            if name == "release_lease":
                raise Unavailable("died")
            return getattr(stage.ports.runs, name)

    with pytest.raises(Unavailable):
        stage.advance(run_id, ports=replace(stage.ports, runs=Dying()))
    stage.clock.advance(31)
    stage.advance(run_id)
    stage.until_quiet()

    assert stage.run(run_id).status is Status.FAILED
    assert bodies(stage) == 3


# --- waiting ------------------------------------------------------------------------------------------------

WAITING = FAILING.format(task="retries=1, retry_delay_seconds=600", flow="")


def test_a_run_that_waits_is_started_by_its_timer_and_by_nothing_before(stage):
    run_id = stage.submit(stage.deploy(WAITING))
    stage.deliver()
    stage.ports.dispatcher.sent.clear()

    for after_s in (1, 300, 298.5, 0.9):  # up to a fraction of a second before the timer
        stage.clock.advance(after_s)
        assert reconcile(stage.ports).rescued == ()
        for message in messages_that_know_nothing(stage, run_id):
            assert stage.advance(message) == Ignored("run_leased")
    assert bodies(stage) == 1

    stage.until_quiet()
    assert (bodies(stage), stage.run(run_id).status) == (2, Status.FAILED)
    assert stage.ports.dispatcher.sent == [], "nobody had to be rescued"


def test_a_timer_that_comes_twice_or_late_starts_nothing_twice(stage):
    stage.submit(stage.deploy(WAITING))
    stage.deliver()
    (timer,) = [each for each in stage.ports.timers.set_timers if isinstance(each.message, AdvanceRun)]

    stage.clock.advance(600 + PERIOD_S / 2)
    stage.advance(timer.message)
    assert stage.advance(timer.message) == Ignored("run_final")
    assert bodies(stage) == 2


def test_a_timer_that_is_lost_is_made_good_by_the_reconciler(stage):
    run_id = stage.submit(stage.deploy(WAITING))
    stage.deliver()
    for name in [name for name, timer in stage.ports.timers.waiting.items() if isinstance(timer.message, AdvanceRun)]:
        del stage.ports.timers.waiting[name]
    began_at = stage.clock.now()

    stage.until_quiet()

    assert (bodies(stage), stage.run(run_id).status) == (2, Status.FAILED)
    assert stage.clock.now() - began_at <= 600 + 4 * PERIOD_S
