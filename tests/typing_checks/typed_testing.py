"""`dagy.testing` knows the types of what it runs. Not run, but read by mypy: an unneeded ignore is an error."""

from __future__ import annotations

from typing_extensions import assert_type

from dagy import Flow, TaskTimeoutError, flow, task
from dagy.core.states import Status
from dagy.testing import (
    Change,
    Failure,
    FakeClock,
    TestRun,
    TestTaskRun,
    fail_task,
    run_in_memory,
    slow_task,
    with_body,
    with_result,
)


@task
def extract(source: str) -> list[str]:
    return [source]


@flow
def etl(source: str = "a") -> list[str]:
    return extract(source)


def right() -> None:
    given: list[Change] = [
        fail_task(extract, times=2, error=ConnectionError("refused")),
        fail_task("extract-1", error=OSError),
        slow_task("extract", 90),
        with_result("extract", ["a"]),
        with_body(extract, lambda source: [source]),
    ]
    run = run_in_memory(etl, "a", given=given, max_workers=4, fail_fast=False, clock=FakeClock(), chance=0.5)
    assert_type(run, TestRun[list[str]])
    assert_type(run.result, list[str])
    assert_type(run.status, Status)
    assert_type(run.task("extract"), TestTaskRun)
    assert_type(run.task("extract").failure, Failure | None)
    assert_type(run.assert_failed(), BaseException)
    assert_type(run.assert_failed(TaskTimeoutError).timeout_s, float)
    run.assert_failed((OSError, TimeoutError), match="refused", task="extract")


def wrong(untyped: Flow[..., int]) -> None:
    run_in_memory(extract, "a")  # type: ignore[arg-type]
    run_in_memory(etl, given=["extract"])  # type: ignore[list-item]
    run_in_memory(etl, max_workers="4")  # type: ignore[arg-type]
    fail_task("extract", times="2")  # type: ignore[arg-type]
    fail_task("extract", error="no")  # type: ignore[arg-type]
    with_body("extract", 5)  # type: ignore[arg-type]
    run_in_memory(etl).assert_failed(int)  # type: ignore[type-var]
    run_in_memory(untyped).result.append("a")  # type: ignore[attr-defined]
