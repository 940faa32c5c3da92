"""Arguments in their two forms: live, with `TaskOutput` inside, and serialised, as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.refs import ParameterRef, TaskOutput, hydrate, placeholders_in, refs_in, refs_in_json, to_json


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass(frozen=True)
class Box:
    content: Any
    label: str = "box"


class Colour(enum.Enum):
    RED = "red"


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False)
OUTPUTS = st.integers(1, 9).map(lambda n: TaskOutput(f"task-{n}"))


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=5), inner, max_size=4)
            | st.builds(Pair, inner, inner)
            | st.builds(Box, inner)
        ),
        max_leaves=12,
    )


@given(nested(LEAVES | OUTPUTS))
def test_serialised_data_refers_to_the_same_task_runs_in_the_same_order(value: Any) -> None:
    assert list(refs_in_json(to_json(value))) == [ref.task_run_id for ref in refs_in(value)]


@given(nested(LEAVES | OUTPUTS | st.just(float("inf")) | st.just(object())))
def test_serialised_data_is_json(value: Any) -> None:
    serialised = to_json(value)

    assert json.loads(json.dumps(serialised, allow_nan=False)) == serialised


@given(nested(LEAVES))
def test_data_without_references_hydrates_to_itself(value: Any) -> None:
    assert hydrate(value, lambda _: pytest.fail("there is no reference")) is value


@given(nested(LEAVES | OUTPUTS))
def test_hydrated_data_has_no_references_left_and_the_results_in_their_place(value: Any) -> None:
    hydrated = hydrate(value, lambda task_run_id: f"result of {task_run_id}")

    assert list(refs_in(hydrated)) == []
    assert type(hydrated) is type(value) or isinstance(value, TaskOutput)
    for ref in refs_in(value):
        assert f"result of {ref.task_run_id}" in repr(hydrated)


def test_references_hydrate_in_every_kind_of_container() -> None:
    ref = TaskOutput("a-1")

    assert hydrate(Pair(ref, 1), lambda _: 5) == Pair(5, 1)
    assert hydrate(Box([ref]), lambda _: 5) == Box([5])
    assert hydrate({ref: {"x": (ref,)}}, lambda _: 5) == {5: {"x": (5,)}}
    assert hydrate({ref, 1}, lambda _: 5) == {5, 1}


def test_stand_ins_of_both_kinds_are_found() -> None:
    found = list(placeholders_in([ParameterRef("day"), {"x": Box(TaskOutput("a-1"))}]))

    assert [repr(each) for each in found] == [repr(ParameterRef("day")), repr(TaskOutput("a-1"))]


@pytest.mark.parametrize(
    "value, serialised",
    [
        pytest.param(TaskOutput("a-1"), {"$ref": "a-1"}, id="result"),
        pytest.param(ParameterRef("day"), {"$param": "day"}, id="parameter"),
        pytest.param((1, 2), {"$type": "tuple", "value": [1, 2]}, id="tuple"),
        pytest.param({2, 1}, {"$type": "set", "value": [1, 2]}, id="set in one order"),
        pytest.param({"$ref": "a-1"}, {"$dict": [["$ref", "a-1"]]}, id="an author's dict that looks like a reference"),
        pytest.param({1: "a"}, {"$dict": [[1, "a"]]}, id="keys that are no text"),
        pytest.param(math.inf, {"$type": "float", "value": "inf"}, id="infinity"),
        pytest.param(dt.date(2026, 3, 4), {"$type": "date", "value": "2026-03-04"}, id="date"),
        pytest.param(dt.timedelta(minutes=1), {"$type": "timedelta", "value": 60.0}, id="duration"),
        pytest.param(decimal.Decimal("1.10"), {"$type": "decimal", "value": "1.10"}, id="decimal"),
        pytest.param(uuid.UUID(int=1), {"$type": "uuid", "value": str(uuid.UUID(int=1))}, id="uuid"),
        pytest.param(b"\x00", {"$type": "bytes", "value": "AA=="}, id="bytes"),
        pytest.param(PurePosixPath("a/b"), {"$type": "path", "value": "a/b"}, id="path"),
    ],
)
def test_what_json_has_no_word_for_is_tagged(value: Any, serialised: Any) -> None:
    assert to_json(value) == serialised


def test_enums_dataclasses_and_the_unknown_tell_their_class() -> None:
    assert to_json(Colour.RED)["of"].endswith(".Colour")
    assert to_json(Box(1))["value"] == {"content": 1, "label": "box"}
    assert to_json(object()) == {"$type": "opaque", "value": "builtins.object"}
