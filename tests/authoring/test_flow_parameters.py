"""A flow's parameters as data: described, checked on the API's side, read from text on the command line's."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import inspect
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy import flow
from dagy.core.errors import MissingParameter, ParameterTypeError, UnknownParameter
from dagy.parameters import check_values, coerce_text, describe


class Unknown:
    pass


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Window:
    days: int
    name: str = "all"


def everything(
    count: int,
    source: str,
    ratio: float = 0.5,
    is_full: bool = False,
    limit: Optional[int] = None,
    day: dt.date = dt.date(2026, 3, 4),
    minimum: Decimal = Decimal(10),
    window: Window = Window(7),  # noqa: B008
    tags: list[str] = [],  # noqa: B006
    colour: Colour = Colour.RED,
    mode: Literal["fast", "slow"] = "fast",
    label: Optional[str] = None,
    key: Union[int, str] = 1,
    where: Path = Path("data"),
    *,
    untyped=3,  # type: ignore[no-untyped-def]
    frame: Unknown = Unknown(),  # noqa: B008
) -> None: ...


PARAMETERS = describe(everything)
BY_NAME = {parameter["name"]: parameter for parameter in PARAMETERS}


def test_a_description_is_json() -> None:
    assert json.loads(json.dumps(PARAMETERS)) == PARAMETERS


def test_parameters_are_described_in_the_order_declared() -> None:
    assert list(BY_NAME) == list(inspect.signature(everything).parameters)


@pytest.mark.parametrize(
    "name, described",
    [
        pytest.param("count", {"type": "int", "schema": {"type": "integer"}, "required": True}, id="required"),
        pytest.param("day", {"type": "date", "default": "2026-03-04", "required": False}, id="date"),
        pytest.param("minimum", {"type": "Decimal", "default": "10"}, id="decimal"),
        pytest.param("window", {"type": "Window", "default": {"days": 7, "name": "all"}}, id="dataclass"),
        pytest.param("limit", {"type": "int | None", "default": None}, id="optional"),
        pytest.param("tags", {"type": "list[str]", "default": []}, id="generic"),
        pytest.param("mode", {"type": "Literal['fast', 'slow']", "schema": {"enum": ["fast", "slow"]}}, id="literal"),
        pytest.param("colour", {"type": "Colour", "default": "red"}, id="enum"),
        pytest.param("where", {"type": "Path", "default": "data"}, id="path"),
        pytest.param("untyped", {"type": "Any", "schema": {}, "default": 3, "kind": "keyword_only"}, id="untyped"),
    ],
)
def test_types_are_told_as_people_write_them(name: str, described: dict[str, Any]) -> None:
    assert {key: BY_NAME[name][key] for key in described} == described


def test_a_default_that_json_cannot_carry_is_left_to_the_flow() -> None:
    assert "default" not in BY_NAME["frame"]
    assert not BY_NAME["frame"]["required"]


def test_checked_values_have_defaults_filled_in_and_fit_the_flow() -> None:
    values = check_values(PARAMETERS, {"count": 1, "source": "a", "day": "2026-04-01"})

    assert (values["ratio"], values["day"], values["tags"]) == (0.5, "2026-04-01", [])
    parameters = flow(everything).trace(**values).parameters
    assert parameters["day"] == dt.date(2026, 4, 1)
    assert parameters["window"] == Window(7)
    assert parameters["colour"] is Colour.RED
    assert parameters["where"] == Path("data")
    assert isinstance(parameters["frame"], Unknown)


GIVEN = {"count": 1, "source": "a"}


@pytest.mark.parametrize(
    "values, error, told",
    [
        pytest.param({"count": 1}, MissingParameter, r"'source' \(str\)", id="missing"),
        pytest.param({**GIVEN, "cuont": 1}, UnknownParameter, "'cuont'", id="unknown"),
        pytest.param({**GIVEN, "count": "1"}, ParameterTypeError, r"'count' expects int, got '1' \(str\)", id="text"),
        pytest.param({**GIVEN, "count": True}, ParameterTypeError, "'count' expects int, got True", id="bool"),
        pytest.param({**GIVEN, "day": "today"}, ParameterTypeError, "'day' expects date, got 'today'", id="no date"),
        pytest.param(
            {**GIVEN, "tags": ["a", 1]}, ParameterTypeError, r"'tags' expects list\[str\].*\[1\]", id="inside"
        ),
        pytest.param({**GIVEN, "window": {}}, ParameterTypeError, "'window' expects Window.*days", id="field missing"),
        pytest.param({**GIVEN, "mode": "medium"}, ParameterTypeError, "'mode' expects Literal", id="not a choice"),
        pytest.param({**GIVEN, "limit": "a"}, ParameterTypeError, r"'limit' expects int \| None", id="no alternative"),
    ],
)
def test_values_that_do_not_fit_are_refused_and_named(values: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        check_values(PARAMETERS, values)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "http://192.0.2.1/schema.json"}, id="a reference to elsewhere"),
        pytest.param({"anyOf": [{"$ref": "file:///etc/passwd"}]}, id="a reference to a file"),
        pytest.param({"$id": "http://192.0.2.1/", "$ref": "#/x"}, id="a base elsewhere"),
        pytest.param({"type": "nonsense"}, id="an unknown type"),
        pytest.param({"type": "string", "pattern": "("}, id="a broken pattern"),
    ],
)
def test_a_schema_that_cannot_be_trusted_is_not_followed(schema: Any) -> None:
    assert check_values([{"name": "x", "type": "Any", "schema": schema}], {"x": "a"}) == {"x": "a"}


@pytest.mark.parametrize(
    "name, text, value",
    [
        pytest.param("count", "5", 5, id="int"),
        pytest.param("count", "-5", -5, id="negative int"),
        pytest.param("ratio", "2", 2.0, id="float"),
        pytest.param("ratio", "1e3", 1000.0, id="float with exponent"),
        pytest.param("is_full", "true", True, id="true"),
        pytest.param("is_full", "No", False, id="no"),
        pytest.param("is_full", "1", True, id="one"),
        pytest.param("is_full", "0", False, id="zero"),
        pytest.param("limit", "null", None, id="null"),
        pytest.param("limit", "5", 5, id="the other of an optional"),
        pytest.param("source", "5", "5", id="text that looks like a number"),
        pytest.param("source", "null", "null", id="text that looks like null"),
        pytest.param("source", '{"a": 1}', '{"a": 1}', id="text that looks like JSON"),
        pytest.param("source", "", "", id="empty text"),
        pytest.param("label", "7", "7", id="optional text"),
        pytest.param("key", "7", 7, id="number first where both fit"),
        pytest.param("key", "seven", "seven", id="text where no number fits"),
        pytest.param("day", "2026-03-04", "2026-03-04", id="date"),
        pytest.param("tags", '["a", "b"]', ["a", "b"], id="list"),
        pytest.param("window", '{"days": 3}', {"days": 3}, id="object"),
        pytest.param("mode", "slow", "slow", id="choice"),
        pytest.param("colour", "blue", "blue", id="enum"),
        pytest.param("untyped", "5", 5, id="no schema, JSON"),
        pytest.param("untyped", "[1, 2]", [1, 2], id="no schema, JSON list"),
        pytest.param("untyped", "hello", "hello", id="no schema, text"),
        pytest.param("untyped", "NaN", "NaN", id="no schema, no JSON number"),
    ],
)
def test_text_is_read_by_the_parameters_type(name: str, text: str, value: Any) -> None:
    read = coerce_text(PARAMETERS, {name: text})[name]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "name, text",
    [
        ("count", "five"),
        ("count", "1.5"),
        ("ratio", "nan"),
        ("ratio", "inf"),
        ("is_full", "maybe"),
        ("tags", "a,b"),
        ("tags", '{"a": 1}'),
        ("window", "7"),
        ("mode", "medium"),
        ("limit", "none at all"),
    ],
)
def test_text_that_cannot_be_read_so_is_refused_and_named(name: str, text: str) -> None:
    with pytest.raises(ParameterTypeError, match=f"'{name}'"):
        coerce_text(PARAMETERS, {name: text})


def test_text_for_an_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(UnknownParameter, match="'cuont'") as refused:
        coerce_text(PARAMETERS, {"cuont": "1"})

    assert "count, source" in str(refused.value.hint)


@given(count=st.integers(), ratio=st.floats(allow_nan=False, allow_infinity=False), source=st.text())
def test_what_was_written_as_text_comes_back(count: int, ratio: float, source: str) -> None:
    texts = {"count": str(count), "ratio": repr(ratio), "source": source}

    assert coerce_text(PARAMETERS, texts) == {"count": count, "ratio": ratio, "source": source}
