"""`@task`: what it keeps, what it checks, and what calling a task means."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

import pytest

from dagy import Hook, RunContext, State, Task, task
from dagy.core.errors import InvalidFlow, ParameterTypeError, RetryConfigurationError


class Unknown:
    """A class that nobody but the author knows."""


@dataclass
class Point:
    x: int
    y: float = 0.0


def quiet(context: RunContext, state: State) -> None:
    """A hook."""


class Alarm(Hook):
    def __call__(self, context: RunContext, state: State) -> None:
        """A hook with nothing to do."""


@task
def double(x: int) -> int:
    """Twice as much.

    And not more.
    """
    return x * 2


def test_a_bare_decorator_keeps_the_function_and_takes_its_name_and_docstring() -> None:
    assert isinstance(double, Task)
    assert (double.name, double.__name__, double.fn(4)) == ("double", "double", 8)
    assert double.description == "Twice as much.\n\nAnd not more."


def test_outside_a_flow_a_task_is_its_function() -> None:
    assert double(21) == 42
    assert double("ab") == "abab"  # not even types are looked at


def test_all_settings_of_the_reference_are_kept() -> None:
    def delay(attempt: int) -> float:
        return attempt * 1.0

    alarm = Alarm()

    @task(
        name="robust",
        description="Robust",
        executor="step-functions",
        retries=3,
        retry_delay_seconds=delay,
        retry_jitter_factor=0.5,
        timeout_seconds=120,
        concurrency_limit=2,
        validate_parameters=False,
        on_running=[quiet],
        on_completion=[quiet, alarm],
        on_failure=[alarm],
        on_retry=[quiet],
        retry_condition_fn=callable,
    )
    def robust() -> None: ...

    assert (robust.name, robust.description, robust.executor) == ("robust", "Robust", "step-functions")
    assert (robust.retries, robust.retry_delay_seconds, robust.retry_jitter_factor) == (3, delay, 0.5)
    assert (robust.timeout_seconds, robust.concurrency_limit, robust.validate_parameters) == (120.0, 2, False)
    assert (robust.on_running, robust.on_completion) == ((quiet,), (quiet, alarm))
    assert (robust.on_failure, robust.on_retry) == ((alarm,), (quiet,))
    assert (robust.policy.retries, robust.policy.jitter, robust.policy.should_retry) == (3, 0.5, callable)


@pytest.mark.parametrize(
    "settings, told",
    [
        pytest.param({"name": "a b"}, "task name 'a b'", id="name with a space"),
        pytest.param({"name": ""}, "task name ''", id="empty name"),
        pytest.param({"name": 7}, "name must be text, got 7", id="name of a number"),
        pytest.param({"description": 7}, "description must be text, got 7", id="description of a number"),
        pytest.param({"executor": "fargate"}, "executor .*\"lambda\", .* got 'fargate'", id="unknown executor"),
        pytest.param({"executor": ["ecs"]}, r"executor .* \['ecs'\]", id="list of executors"),
        pytest.param({"retries": -1}, "retries .* -1", id="negative retries"),
        pytest.param({"retry_delay_seconds": "1"}, "retry_delay_seconds .* '1'", id="delay of text"),
        pytest.param({"retry_jitter_factor": 2}, "retry_jitter_factor .* 2", id="jitter above one"),
        pytest.param({"timeout_seconds": 0}, "timeout_seconds .* 0", id="no time"),
        pytest.param({"timeout_seconds": "5"}, "timeout_seconds .* '5'", id="timeout of text"),
        pytest.param({"timeout_seconds": float("nan")}, "timeout_seconds .* nan", id="timeout that is no number"),
        pytest.param({"timeout_seconds": True}, "timeout_seconds .* True", id="timeout of a bool"),
        pytest.param({"concurrency_limit": 0}, "concurrency_limit .* 0", id="nothing at once"),
        pytest.param({"concurrency_limit": 1.5}, "concurrency_limit .* 1.5", id="one and a half at once"),
        pytest.param({"validate_parameters": "no"}, "validate_parameters .* 'no'", id="flag of text"),
        pytest.param({"on_running": quiet}, "on_running must be a list", id="a hook without its list"),
        pytest.param({"on_failure": [7]}, "on_failure .* 7", id="a hook that cannot be called"),
        pytest.param({"on_retry": [Alarm]}, "on_retry needs hooks, got the class Alarm", id="a hook's class"),
        pytest.param({"retry_condition_fn": 1}, "retry_condition_fn .* 1", id="condition that is no function"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_where_it_is_written(settings: Any, told: str) -> None:
    with pytest.raises(InvalidFlow, match=told):
        task(**settings)(double.fn)


def test_retry_settings_have_an_error_of_their_own() -> None:
    with pytest.raises(RetryConfigurationError):
        task(retries=-1)(double.fn)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(InvalidFlow, match="task name '<lambda>'"):
        task(lambda x: x)

    assert task(name="double")(lambda x: 2 * x)(4) == 8


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidFlow, match="@task decorates a function, got 'robust'"):
        task("robust")  # type: ignore[call-overload]


def test_a_hook_must_say_what_it_does() -> None:
    class Silent(Hook):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Silent()  # type: ignore[abstract]


def bound(annotation: Any, value: Any, **settings: Any) -> Any:
    def fn(x): ...  # type: ignore[no-untyped-def]

    fn.__annotations__ = {"x": annotation}
    (converted,), _ = task(**settings)(fn).bind((value,), {})
    return converted


@pytest.mark.parametrize(
    "annotation, value, converted",
    [
        pytest.param(float, 5, 5.0, id="an int as a float"),
        pytest.param(dt.date, "2026-03-04", dt.date(2026, 3, 4), id="text as a date"),
        pytest.param(Path, "a/b", Path("a/b"), id="text as a path"),
        pytest.param(Point, {"x": 1}, Point(1), id="a dict as a dataclass"),
        pytest.param(list[Point], [{"x": 1, "y": 2}], [Point(1, 2.0)], id="dicts inside a list"),
        pytest.param(list[int], (1, 2), [1, 2], id="a tuple as a list"),
        pytest.param(Optional[int], None, None, id="none where it may be"),
        pytest.param(Union[str, dt.date], "2026-03-04", "2026-03-04", id="a union takes what fits as it is"),
        pytest.param("dt.date", "2026-03-04", dt.date(2026, 3, 4), id="an annotation in quotes"),
    ],
)
def test_arguments_are_converted_to_their_annotations(annotation: Any, value: Any, converted: Any) -> None:
    assert bound(annotation, value) == converted
    assert type(bound(annotation, value)) is type(converted)


@pytest.mark.parametrize(
    "annotation, value, told",
    [
        pytest.param(int, "5", r"Parameter 'x' expects int, got '5' \(str\)", id="text for a number"),
        pytest.param(int, True, r"expects int, got True \(bool\)", id="a bool for a number"),
        pytest.param(dt.date, "2026-13-04", "expects date, got '2026-13-04'", id="a date that is none"),
        pytest.param(list[int], [1, "a"], r"expects list\[int\], got list: .* \$\[1\]", id="wrong inside a list"),
        pytest.param(Unknown, 1, r"expects Unknown, got 1 \(int\)", id="another class"),
        pytest.param(Optional[int], "a", r"expects int \| None, got 'a'", id="neither of a union"),
        pytest.param(Union[Unknown, Point], 1, r"expects Unknown \| Point, got 1", id="neither of two classes"),
        pytest.param(Callable[[int], str], 1, r"expects Callable\[\[int\], str\], got 1", id="not callable"),
    ],
)
def test_an_argument_of_another_type_is_refused_and_named(annotation: Any, value: Any, told: str) -> None:
    with pytest.raises(ParameterTypeError, match=told):
        bound(annotation, value)


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param("OnlyForTheTypeChecker", id="a name that does not exist"),
        pytest.param("no valid [ python", id="no Python"),
        pytest.param(7, id="a number"),
        pytest.param(Any, id="anything"),
        pytest.param(object, id="object"),
    ],
)
def test_an_annotation_that_says_nothing_lets_everything_pass(annotation: Any) -> None:
    value = object()

    assert bound(annotation, value) is value


def test_one_bad_annotation_does_not_switch_off_the_others() -> None:
    @task
    def fn(x: Nowhere, y: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ParameterTypeError, match="'y'"):
        fn.bind((1, "a"), {})


def test_what_already_is_of_the_type_stays_the_same_object() -> None:
    class Sub(dict):  # type: ignore[type-arg]
        pass

    for annotation, value in ((dict, Sub()), (Unknown, Unknown()), (list, []), (Point, Point(1))):
        assert bound(annotation, value) is value


def test_numbers_of_other_libraries_are_numbers() -> None:
    class Int64:
        def __index__(self) -> int:
            return 7

    assert bound(int, Int64()) == 7


def test_validation_can_be_switched_off() -> None:
    assert bound(int, "5", validate_parameters=False) == "5"


def test_star_arguments_are_converted_one_by_one() -> None:
    @task
    def fn(first: int, *rest: float, **more: dt.date) -> None: ...

    args, kwargs = fn.bind((1, 2, 3), {"day": "2026-03-04"})

    assert (args, kwargs) == ((1, 2.0, 3.0), {"day": dt.date(2026, 3, 4)})


def test_a_builtin_without_a_signature_is_a_task_too() -> None:
    smallest = task(min)

    assert smallest.bind((3, 2), {}) == ((3, 2), {})
    assert smallest(3, 2) == 2
