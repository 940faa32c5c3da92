"""What a failing test shows, and that what should fail does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dagy import flow, task
from dagy.testing import run_in_memory


@task
def fetch(n: int) -> list[int]:
    return list(range(n))


@task(retries=1, retry_delay_seconds=60)
def parse(rows: list[int]) -> int:
    print(f"parsing {len(rows)} rows")
    raise ValueError("row 3 has no price")


@flow
def prices(n: int = 4) -> int:
    return parse(fetch(n))


def test_a_run_that_should_have_succeeded_shows_why_it_did_not() -> None:
    run = run_in_memory(prices)
    with pytest.raises(AssertionError) as caught:
        run.assert_succeeded()
    lines = str(caught.value).splitlines()
    assert lines[:7] == [
        "The run should have succeeded.",
        "",
        "Flow 'prices' FAILED after 60 s: ValueError: row 3 has no price",
        "  fetch-1  SUCCEEDED",
        "  parse-1  FAILED after 2 attempts: ValueError: row 3 has no price",
        "",
        "--- log of parse-1 ---",
    ]
    assert lines.count("parsing 4 rows") == 2
    assert lines[-1] == "ValueError: row 3 has no price"
    assert '    raise ValueError("row 3 has no price")' in lines
    assert caught.value.__cause__ is run.error


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda run: run.result, id="the run's"),
        pytest.param(lambda run: run.task("parse").result, id="a task's"),
    ],
)
def test_a_result_that_is_not_there_says_why(look: Any) -> None:
    with pytest.raises(AssertionError, match="FAILED after 2 attempts: ValueError: row 3 has no price"):
        look(run_in_memory(prices))


@pytest.mark.parametrize(
    "args, kwargs, told",
    [
        pytest.param((KeyError,), {}, "should have failed with KeyError", id="another error"),
        pytest.param(((KeyError, OSError),), {}, "failed with KeyError or OSError", id="none of several"),
        pytest.param((), {"match": "row 4"}, "should match 'row 4': row 3 has no price", id="other words"),
        pytest.param((), {"task": "fetch"}, "should have failed in fetch", id="another task"),
        pytest.param((), {"task": "prse"}, "'prse' was not called", id="a task that is none"),
    ],
)
def test_a_run_that_failed_otherwise_is_shown(args: Any, kwargs: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        run_in_memory(prices).assert_failed(*args, **kwargs)


def test_a_run_that_should_have_failed_is_shown() -> None:
    @flow
    def fine() -> list[int]:
        return fetch(2)

    with pytest.raises(
        AssertionError, match=r"should have failed.\n\nFlow 'fine' SUCCEEDED after 0 s\n  fetch-1  SUCC"
    ):
        run_in_memory(fine).assert_failed()


def test_the_error_is_given_for_closer_looks() -> None:
    run = run_in_memory(prices)
    assert run.assert_failed(ValueError, match=r"row \d", task="parse-1") is run.error


def test_reports_of_wide_flows_stay_short() -> None:
    @task
    def odd(x: int) -> int:
        if x == 70:
            raise ValueError("70 is not liked")
        return x

    @flow
    def wide() -> list[int]:
        return [odd(x) for x in range(100)]

    report = str(run_in_memory(wide, fail_fast=False))
    assert "  odd-71  FAILED: ValueError: 70 is not liked\n  (99 more)" in report
    assert len(report.splitlines()) < 15


def test_long_logs_are_cut_at_the_beginning() -> None:
    @task
    def talks() -> None:
        for n in range(500):
            print(f"line {n}")
        raise ValueError("at last")

    @flow
    def talking() -> None:
        talks()

    report = str(run_in_memory(talking))
    assert "line 499" in report
    assert "line 300\n" not in report
    assert "lines before)" in report


def test_pytest_shows_the_report_and_not_our_frames(tmp_path: Path) -> None:
    (tmp_path / "test_prices.py").write_text(
        textwrap.dedent("""
            from dagy import flow, task
            from dagy.testing import TestRun, TestTaskRun, run_in_memory

            @task
            def parse() -> int:
                raise ValueError("row 3 has no price")

            @flow
            def prices() -> int:
                return parse()

            def test_prices() -> None:
                assert run_in_memory(prices).result == 5
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "--- log of parse-1 ---" in done.stdout
    assert "sdk/dagy/testing" not in done.stdout
