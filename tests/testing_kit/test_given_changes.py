"""What `given` can ask of tasks: to fail, to take time, to do something else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dagy import InvalidInput, flow, task
from dagy.testing import Change, ForcedFailure, fail_task, run_in_memory, slow_task, with_body, with_result


@task(retries=3, retry_delay_seconds=[1, 5, 30], retry_jitter_factor=0.5)
def extract(source: str) -> list[str]:
    return [source]


@task
def load(rows: list[str]) -> int:
    return len(rows)


@flow
def etl(*, sources: tuple[str, ...] = ("a", "b")) -> list[int]:
    return [load(extract(source)) for source in sources]


@pytest.mark.parametrize(
    "chance, delays_s",
    [
        pytest.param(0.0, (1.0, 5.0), id="without jitter"),
        pytest.param(1.0, (1.5, 7.5), id="with all the jitter there can be"),
    ],
)
def test_a_task_that_fails_a_few_times_is_tried_again(chance: float, delays_s: tuple[float, ...]) -> None:
    run = run_in_memory(etl, given=[fail_task("extract-1", times=2)], chance=chance)
    assert run.result == [1, 1]
    first, second = run.task("extract-1"), run.task("extract-2")
    assert (first.attempts, first.delays_s, first.durations_s) == (3, delays_s, (0.0, 0.0, 0.0))
    assert (second.attempts, second.delays_s) == (1, ())
    assert run.duration_s == sum(delays_s)


def test_a_task_that_always_fails_fails_the_run() -> None:
    run = run_in_memory(etl, given=[fail_task(extract)])
    run.assert_failed(ForcedFailure, match="Forced to fail", task="extract-1")
    assert run.task("extract-1").attempts == 4


def test_failures_follow_each_other_and_each_call_has_its_own() -> None:
    given = [fail_task("extract", times=1, error=TimeoutError("slow")), fail_task("extract", times=2, error=OSError)]
    run = run_in_memory(etl, given=given)
    for id in ("extract-1", "extract-2"):
        assert run.task(id).attempts == 4
        assert run.task(id).log.splitlines() == ["TimeoutError: slow", "OSError", "OSError"]


def test_the_error_is_the_very_one_that_was_given() -> None:
    error = ConnectionError("refused")
    run = run_in_memory(etl, given=[fail_task("load", error=error)])
    assert run.error is error


def test_retry_conditions_see_the_forced_error() -> None:
    @task(retries=5, retry_condition_fn=lambda error: isinstance(error, ConnectionError))
    def call() -> None: ...

    @flow
    def calling() -> None:
        call()

    assert run_in_memory(calling, given=[fail_task("call", times=2, error=ConnectionError)]).task("call").attempts == 3
    assert run_in_memory(calling, given=[fail_task("call", error=ValueError)]).task("call").attempts == 1


def test_a_flows_own_retries_keep_what_is_done() -> None:
    @flow(retries=1, retry_delay_seconds=600)
    def again() -> int:
        return load(extract("a"))

    run = run_in_memory(again, given=[fail_task("load", times=1)])
    run.assert_succeeded()
    assert (run.task("extract").attempts, run.task("load").attempts) == (1, 2)
    assert run.duration_s == 600.0


def test_a_replaced_task_gives_the_value_and_still_checks_its_arguments() -> None:
    run = run_in_memory(etl, given=[with_result("extract", ["x", "y"]), with_result("load-2", 7)])
    assert run.result == [2, 7]
    assert run.task("extract-2").arguments == {"source": "b"}
    assert run_in_memory(etl, given=[with_result("extract", 5)]).error is not None  # load takes a list


def test_a_change_of_one_call_goes_before_one_of_all() -> None:
    given = [with_result("extract-2", ["x", "y", "z"]), with_result("extract", [])]
    assert run_in_memory(etl, given=given).result == [0, 3]
    assert run_in_memory(etl, given=given[::-1]).result == [0, 3]


def test_a_body_is_replaced_by_a_function_of_the_same_arguments() -> None:
    async def shouted(source: str) -> list[str]:
        await asyncio.sleep(0)
        return [source.upper()] * 3

    @task
    def other(source: str) -> list[str]:
        return []

    run = run_in_memory(etl, given=[with_body("extract-1", shouted), with_body("extract-2", other)])
    assert run.task("extract-1").result == ["A"] * 3
    assert run.result == [3, 0]


def test_a_body_that_does_not_take_the_arguments_fails_the_task() -> None:
    run = run_in_memory(etl, given=[with_body("load", lambda: 1)])
    run.assert_failed(TypeError, match="argument", task="load-1")


def test_changes_of_different_kinds_add_up() -> None:
    given = [with_result("extract", ["x"] * 5), fail_task("extract", times=1), slow_task("extract", 10)]
    run = run_in_memory(etl, given=given, sources=("a",))
    assert run.result == [5]
    assert run.task("extract").durations_s == (10.0, 10.0)
    assert run.duration_s == 10.0 + 1.0 + 10.0


def test_changes_are_of_one_run_only() -> None:
    run_in_memory(etl, given=[fail_task("extract"), with_result("load", 9)]).assert_failed()
    assert run_in_memory(etl).result == [1, 1]
    assert extract("a") == ["a"]


def test_an_async_task_is_changed_like_any_other() -> None:
    @task(retries=1)
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @flow
    def asynchronous() -> int:
        return later(later(1))

    run = run_in_memory(asynchronous, given=[fail_task("later-2", times=1)])
    assert run.result == 3
    assert run.task("later-2").attempts == 2


@pytest.mark.parametrize(
    "given, told",
    [
        pytest.param([fail_task("extrct")], "called no task 'extrct'", id="a name nobody has"),
        pytest.param([fail_task("extract-3")], "called no task 'extract-3'", id="a call that is not made"),
        pytest.param([with_result("load", 1), with_result("load", 2)], "'load' is replaced twice", id="twice"),
        pytest.param(["extract"], "fail_task, slow_task, .* got 'extract'", id="only a name"),
    ],
)
def test_what_cannot_happen_is_refused(given: list[Change], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        run_in_memory(etl, given=given)


@pytest.mark.parametrize(
    "make, told",
    [
        pytest.param(lambda: fail_task("a", times=0), "times .* 0", id="no times"),
        pytest.param(lambda: fail_task("a", times=True), "times .* True", id="a bool of times"),
        pytest.param(lambda: fail_task("a", error="no"), "exceptions, got error='no'", id="text to raise"),
        pytest.param(lambda: fail_task("a", error=int), "exceptions, got error=<class 'int'>", id="a class to raise"),
        pytest.param(lambda: fail_task(7), "Name the task.* 7", id="a number for a task"),
        pytest.param(lambda: slow_task("a", -1), "seconds of 0 or more, got -1", id="negative seconds"),
        pytest.param(lambda: slow_task("a", float("inf")), "seconds of 0 or more, got inf", id="endless seconds"),
        pytest.param(lambda: with_body("a", 5), "takes a function, got 5", id="a value for a body"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_where_it_is_written(make: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        make()
