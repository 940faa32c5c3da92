"""Pydantic models as parameters: made of plain data, by Pydantic's own rules."""

from __future__ import annotations

import datetime as dt
from typing import Any, Optional

import pytest
from pydantic import BaseModel

from dagy import ParameterTypeError, flow, task
from dagy.parameters import check_values, describe
from dagy.testing import run_in_memory


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel):
    id: int
    day: dt.date
    lines: list[Line] = []


@task
def count(order: Order, extra: list[Line], gift: Optional[Line] = None) -> int:
    return sum(line.count for line in [*order.lines, *extra, *filter(None, [gift])])


@task
def fetch(id: int) -> dict[str, Any]:
    return {"id": id, "day": "2026-03-04", "lines": [{"sku": "a", "count": 2}]}


@flow
def counting(first: Line) -> int:
    return count(fetch(7), [{"sku": "b"}, first], gift={"sku": "c", "count": 10})  # type: ignore[arg-type,list-item]


def test_plain_data_becomes_a_model_also_inside_other_types() -> None:
    run = run_in_memory(counting, {"sku": "z", "count": 100})
    assert run.result == 113
    assert run.task("count").arguments == {
        "order": Order(id=7, day=dt.date(2026, 3, 4), lines=[Line(sku="a", count=2)]),
        "extra": [Line(sku="b"), Line(sku="z", count=100)],
        "gift": Line(sku="c", count=10),
    }


def test_a_model_stays_the_very_same() -> None:
    order = Order(id=1, day=dt.date(2026, 3, 4))
    (kept, _), _ = count.bind((order, []), {})
    assert kept is order


def test_a_model_can_be_a_result() -> None:
    @task
    def make() -> Line:
        return Line(sku="a")

    @flow
    def making() -> Line:
        return make()

    assert run_in_memory(making).result == Line(sku="a")


@pytest.mark.parametrize(
    "value, told",
    [
        pytest.param(
            {"sku": "a", "count": "many"}, "'first' expects Line, got dict: count: .*valid integer", id="type"
        ),
        pytest.param({"count": 1}, "'first' expects Line, got dict: sku: Field required", id="missing"),
        pytest.param(5, r"'first' expects Line, got 5 \(int\)", id="no object"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(ParameterTypeError, match=told):
        counting.trace(value)


def test_parameters_are_checked_before_the_run_as_far_as_json_can_say() -> None:
    @flow
    def ordering(order: Order, line: Line) -> None: ...

    parameters = describe(ordering.fn)
    given = {"order": {"id": 1, "day": "2026-03-04"}, "line": {"sku": "a"}}
    assert check_values(parameters, given) == given
    for wrong in ({**given, "line": {"count": 1}}, {**given, "order": 7}):
        with pytest.raises(ParameterTypeError):
            check_values(parameters, wrong)
