"""When hooks are called, with what, and what they cannot do."""

from __future__ import annotations

import pytest

from dagy import flow, task
from dagy.execution.recorder import Failed, Succeeded


class Calls(list):
    def hook(self, name):
        def hook(context, state):
            self.append((name, context.kind, context.name, context.attempt, state.type, state.message))

        return hook

    def settings(self):
        return {name: [self.hook(name)] for name in ("on_running", "on_completion", "on_failure", "on_retry")}


def test_a_tasks_hooks_come_in_order(run):
    calls, attempts = Calls(), []

    @task(retries=2, **calls.settings())
    def flaky(x: int, y: int = 2):
        calls.append("body")
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("not yet")

    @flow
    def hooked():
        flaky(1)

    assert isinstance(run(hooked).outcome, Succeeded)
    assert calls == [
        ("on_running", "task", "flaky", 1, "RUNNING", None),
        "body",
        ("on_retry", "task", "flaky", 2, "RUNNING", "attempt 2 of 3, after not yet"),
        "body",
        ("on_retry", "task", "flaky", 3, "RUNNING", "attempt 3 of 3, after not yet"),
        "body",
        ("on_completion", "task", "flaky", 3, "SUCCEEDED", None),
    ]


def test_a_failed_tasks_hook_is_called_once_after_all_retries(run):
    calls = Calls()

    @task(retries=1, on_failure=[calls.hook("on_failure")])
    def fails():
        raise ValueError("never")

    @flow
    def hooked():
        fails()

    run(hooked)
    assert calls == [("on_failure", "task", "fails", 2, "FAILED", "never")]


def test_a_flows_hooks_come_in_order(run):
    calls, attempts = Calls(), []

    @task
    def flaky():
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("once")

    @flow(retries=1, **calls.settings())
    def hooked():
        flaky()

    run(hooked)
    assert [(call[0], call[3]) for call in calls] == [("on_running", 1), ("on_retry", 2), ("on_completion", 2)]

    calls.clear()
    attempts.clear()

    @task
    def fails():
        raise ValueError("always")

    @flow(**calls.settings())
    def failing():
        fails()

    run(failing)
    assert [(call[0], call[5]) for call in calls] == [("on_running", None), ("on_failure", "always")]


def test_hooks_are_told_the_parameters_with_defaults(run):
    seen = []

    @task(on_running=[lambda context, state: seen.append(dict(context.parameters))])
    def shows(x: int, *more: int, y: str = "why"):
        return x

    @flow(on_running=[lambda context, state: seen.append(dict(context.parameters))])
    def hooked(n: int, m: int = 7):
        return shows(n, 8, 9)

    run(hooked, 3)
    assert seen == [{"n": 3, "m": 7}, {"x": 3, "more": (8, 9), "y": "why"}]


@pytest.mark.parametrize("error", [ValueError("bad hook"), SystemExit(1), KeyboardInterrupt()])
def test_a_failing_hook_is_logged_and_changes_nothing(run, error):
    def bad(context, state):
        raise error

    @task(on_running=[bad], on_completion=[bad])
    def works() -> int:
        return 1

    @flow(on_running=[bad], on_completion=[bad])
    def hooked():
        return works()

    ran = run(hooked)
    assert ran.value == 1
    for log in (ran.notes.log_of("works-1"), ran.notes.log_of(None)):
        assert sum("failed and was ignored" in line for line in log) == 2
        assert any(type(error).__name__ in line for line in log)


def test_a_failing_hook_of_a_failing_task_does_not_hide_its_error(run):
    def bad(context, state):
        raise RuntimeError("bad hook")

    @task(on_failure=[bad])
    def fails():
        raise ValueError("the reason")

    @flow(on_failure=[bad])
    def hooked():
        fails()

    ran = run(hooked)
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.failure.message == "the reason"
