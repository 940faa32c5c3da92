"""Looking into a value that does not exist while a flow is traced is refused, and says which value."""

from __future__ import annotations

import copy
import operator
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.core.errors import InvalidFlow, ValueNotKnown
from dagy.core.refs import ParameterRef, TaskOutput, parameter_of

LOOKS: dict[str, Callable[[Any], Any]] = {
    "an f-string": lambda x: f"s3://{x}",
    "str": str,
    "percent formatting": lambda x: "%s" % x,  # noqa: UP031
    "str.format": lambda x: "{}".format(x),  # noqa: UP032
    "comparing with ==": lambda x: x == 1,
    "comparing with !=": lambda x: x != 1,
    "comparing from the other side": lambda x: 1 == x,  # noqa: SIM300
    "ordering": lambda x: x < 3,
    "truth": bool,
    "not": operator.not_,
    "iteration": list,
    "unpacking": lambda x: [*x],
    "membership": lambda x: "a" in x,
    "membership of it elsewhere": lambda x: x in [1, 2],
    "len": len,
    "indexing": lambda x: x["key"],
    "an attribute": lambda x: x.year,
    "the attribute name": lambda x: x.name,
    "a method": lambda x: x.upper(),
    "adding": lambda x: x + 1,
    "being added": lambda x: 1 + x,
    "being added to text": lambda x: "s3://" + x,
    "negating": operator.neg,
    "dividing": lambda x: 10 // x,
    "int": int,
    "float": float,
    "range": range,
    "round": round,
    "a path": Path,
    "joining a path": lambda x: os.path.join("a", x),  # noqa: PTH118
    "opening": lambda x: open(x),  # noqa: SIM115, PTH123
}


@pytest.mark.parametrize("look", [pytest.param(look, id=name) for name, look in LOOKS.items()])
@pytest.mark.parametrize(
    "value, named",
    [
        pytest.param(ParameterRef("day"), "'day'", id="parameter"),
        pytest.param(TaskOutput("load-1"), "'load-1'", id="task"),
    ],
)
def test_every_look_is_refused_and_names_the_value(look: Callable[[Any], Any], value: Any, named: str) -> None:
    with pytest.raises(ValueNotKnown, match=named) as refused:
        look(value)

    assert isinstance(refused.value, InvalidFlow)
    assert refused.value.hint


def test_looking_something_up_by_a_parameter_is_refused() -> None:
    with pytest.raises(ValueNotKnown, match="'day'"):
        {}.get(ParameterRef("day"))


def test_the_hint_for_a_parameter_says_how_to_give_it() -> None:
    with pytest.raises(ValueNotKnown) as refused:
        bool(ParameterRef("day"))

    assert "--param day=<value>" in str(refused.value.hint)
    assert "build(day=...)" in str(refused.value.hint)


@pytest.mark.parametrize("value", [ParameterRef("day"), TaskOutput("load-1")], ids=["parameter", "task"])
def test_passing_on_copying_pickling_and_repr_are_not_looks(value: Any) -> None:
    for same in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert repr(same) == repr(value)


def test_a_parameter_named_name_keeps_its_name() -> None:
    assert parameter_of(ParameterRef("name")) == "name"


def test_task_outputs_are_equal_when_they_stand_for_the_same_result() -> None:
    assert TaskOutput("a-1") == TaskOutput("a-1")
    assert TaskOutput("a-1") != TaskOutput("a-2")
    assert len({TaskOutput("a-1"), TaskOutput("a-1"), TaskOutput("b-1")}) == 2
