"""Parameters of a traced flow: converted, defaulted, or left open, and then not to be looked into."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from dagy import Flow, flow, task
from dagy.core.errors import (
    InvalidFlow,
    InvalidInput,
    MissingParameter,
    ParameterTypeError,
    UnknownParameter,
    ValueNotKnown,
)


@task
def extract(source: str, date: str = "today") -> list[str]:
    """Read the rows."""
    return [source, date]


@task(retries=2, retry_delay_seconds=[1, 5], timeout_seconds=60, executor="ecs", concurrency_limit=3)
def transform(rows: list[str]) -> list[str]:
    return rows


@task
def load(*rows: Any, into: Any = None) -> int:
    return len(rows)


@flow(name="daily_etl", description="Daily data pipeline")
def daily_etl(date: str, source: str = "s3://data") -> Any:
    data = extract(source, date=date)
    cleaned = transform(data)
    return {"loaded": load(cleaned, into=[data])}


@dataclasses.dataclass
class Batch:
    rows: Any
    label: str = ""


@flow
def typed(day: dt.date, *, limit: float = 1.5, tags: list[str] | None = None) -> Any:
    return load(day, limit, tags)


def test_parameters_are_converted_by_their_annotations() -> None:
    assert typed.trace("2026-03-04", limit=2).parameters == {"day": dt.date(2026, 3, 4), "limit": 2.0, "tags": None}


def test_a_flow_that_validates_nothing_gets_what_was_given() -> None:
    lax: Flow[..., Any] = flow(validate_parameters=False)(typed.fn)

    assert lax.trace("2026-03-04").parameters["day"] == "2026-03-04"


@pytest.mark.parametrize(
    "args, kwargs, error, told",
    [
        pytest.param((), {}, MissingParameter, r"Missing parameter 'day' \(date\)", id="missing"),
        pytest.param(("2026-03-04",), {"dya": 1}, UnknownParameter, "Unknown parameter 'dya'", id="unknown"),
        pytest.param(("tomorrow",), {}, ParameterTypeError, "'day' expects date, got 'tomorrow'", id="wrong type"),
        pytest.param(("2026-03-04", 2), {}, InvalidInput, "takes 1 positional", id="too many"),
        pytest.param(("2026-03-04",), {"day": "2026-03-04"}, InvalidInput, "'day' was given twice", id="twice"),
    ],
)
def test_parameters_that_do_not_fit_are_named(args: Any, kwargs: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        typed.trace(*args, **kwargs)


def test_a_parameter_without_a_value_stays_open_in_the_plan() -> None:
    assert daily_etl.build().task_runs[0].kwargs == {"date": {"$param": "date"}}


def test_an_open_parameter_is_passed_on_inside_data() -> None:
    @flow
    def passing(day: str) -> Any:
        return load({"day": [day]}, into=Batch(day))

    run = passing.build().task_runs[0]

    assert run.args == [{"day": [{"$param": "day"}]}]
    assert run.depends_on == []


LOOKING = {
    "an f-string": lambda day: extract(f"s3://{day}"),
    "a comparison": lambda day: extract("a") if day == "2026" else None,
    "truth": lambda day: extract("a") if day else None,
    "iteration": lambda day: [extract(part) for part in day],
    "an attribute": lambda day: extract(day.year),
    "arithmetic": lambda day: extract(day + 1),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in LOOKING.items()])
def test_a_body_that_looks_into_an_open_parameter_is_told_to_give_it(body: Any) -> None:
    looking: Flow[..., Any] = flow(name="looking")(body)

    with pytest.raises(ValueNotKnown, match="Parameter 'day'") as refused:
        looking.build()

    assert "--param day=<value>" in str(refused.value.hint)


def test_a_body_that_fails_on_an_open_parameter_in_its_own_way_is_told_the_same() -> None:
    @flow
    def parsing(day: str) -> Any:
        return extract(dt.date.fromisoformat(day).isoformat())

    with pytest.raises(InvalidFlow, match="built without values for 'day': TypeError") as refused:
        parsing.build()

    assert "--param day=<value>" in str(refused.value.hint)
    assert parsing.build("2026-03-04").task_runs[0].args == ["2026-03-04"]


@pytest.mark.parametrize(
    "fn",
    [
        pytest.param(lambda *rows: None, id="star arguments"),
        pytest.param(lambda **more: None, id="star-star arguments"),
        pytest.param(eval("lambda row, /: None"), id="positional only"),  # noqa: S307
    ],
)
def test_a_flow_whose_parameters_have_no_names_is_refused(fn: Any) -> None:
    with pytest.raises(InvalidFlow, match="cannot be given by name"):
        flow(name="nameless")(fn).build()
