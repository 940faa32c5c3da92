"""The plan of a flow as a plain value: through JSON and back, hashed, and refused when malformed."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import InvalidFlow
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec, canonical_json, code_hash

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
SPEC = FlowSpec(
    name="etl",
    version="1.0.0",
    created_at="2026-03-04T12:00:00Z",
    tasks={"load": TaskSpec("load", "flow:load", retries=2)},
    task_runs=[TaskRunSpec("load-1", "load"), TaskRunSpec("load-2", "load", ["load-1"], [{"$ref": "load-1"}])],
    edges=[["load-1", "load-2"]],
    outputs={"$ref": "load-2"},
    parameters=[{"name": "day", "type": "str", "schema": {"type": "string"}, "required": True}],
)


def shuffled(value: Any) -> Any:
    """The same JSON value with its keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_equal_values_have_one_canonical_text(value: Any) -> None:
    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(args=st.lists(JSON, max_size=3), kwargs=st.dictionaries(st.text(max_size=5), JSON, max_size=3), outputs=JSON)
def test_a_spec_survives_json(args: list[Any], kwargs: dict[str, Any], outputs: Any) -> None:
    spec = replace(SPEC, task_runs=[TaskRunSpec("load-1", "load", [], args, kwargs)], edges=[], outputs=outputs)

    assert FlowSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_fields_of_a_newer_dagy_are_ignored() -> None:
    data = SPEC.to_dict()
    data["colour"] = data["tasks"]["load"]["colour"] = data["task_runs"][0]["colour"] = "green"

    assert FlowSpec.from_dict(data) == SPEC


@pytest.mark.parametrize("field", ["name", "version", "created_at", "tasks", "task_runs", "edges", "parameters"])
@pytest.mark.parametrize("wrong", [pytest.param(None, id="missing"), pytest.param(7, id="of the wrong type")])
def test_a_malformed_field_is_named(field: str, wrong: Any) -> None:
    data = SPEC.to_dict()
    data.pop(field)
    if wrong is not None:
        data[field] = wrong

    with pytest.raises(InvalidFlow, match=f"'{field}'"):
        FlowSpec.from_dict(data)


@pytest.mark.parametrize("data", [None, [], "etl", 7, {}])
def test_what_is_no_spec_at_all_is_refused(data: Any) -> None:
    with pytest.raises(InvalidFlow):
        FlowSpec.from_dict(data)


def test_references_that_lead_nowhere_are_refused() -> None:
    for change in (
        {"task_runs": [TaskRunSpec("a-1", "a")]},
        {"task_runs": [TaskRunSpec("load-1", "load", ["load-9"])]},
        {"task_runs": [TaskRunSpec("load-1", "load"), TaskRunSpec("load-1", "load")]},
    ):
        with pytest.raises(InvalidFlow, match=r"load-9|'a'|same id"):
            FlowSpec.from_dict(replace(SPEC, **change).to_dict())


@given(JSON, JSON)
def test_the_code_hash_changes_with_the_plan_and_with_the_source_and_with_nothing_else(one: Any, other: Any) -> None:
    first, second = replace(SPEC, outputs=one), replace(SPEC, outputs=other)

    assert (code_hash(first, "x") == code_hash(second, "x")) == (canonical_json(one) == canonical_json(other))
    assert code_hash(first, "x") != code_hash(first, "y")
    assert code_hash(replace(first, created_at="later"), "x") == code_hash(copy.deepcopy(first), "x")
