"""Results as they are stored: what comes back is what went in, and everybody can read what everybody may."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import sqlite3
import uuid
import zoneinfo
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import ArtifactSerializationError
from dagy.results import JSON, JSON_TAGGED, PARQUET, PICKLE, Encoded, decode, encode, readable


class Colour(enum.Enum):
    RED = "red"
    DEEP = ("very", "red")


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass(frozen=True)
class Order:
    id: uuid.UUID
    amount: decimal.Decimal
    at: dt.datetime
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Derived:
    raw: str
    upper: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.upper = self.raw.upper()


@dataclasses.dataclass
class OwnPickle:
    x: int

    def __reduce__(self) -> Any:
        return OwnPickle, (self.x + 1,)


class Plain:
    def __init__(self, x: object) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


Point = namedtuple("Point", "x y")
ATHENS = zoneinfo.ZoneInfo("Europe/Athens")
ORDER = Order(uuid.UUID(int=7), decimal.Decimal("1.20"), dt.datetime(2026, 3, 4, tzinfo=dt.timezone.utc), ("a",))


@pytest.mark.parametrize(
    "value, codec",
    [
        pytest.param(None, JSON, id="None"),
        pytest.param([1, "a", 2.5, True, None, {"k": [-(2**63)]}], JSON, id="JSON"),
        pytest.param({"$ref": "x", "$type": "y"}, JSON, id="keys that look like tags"),
        pytest.param([-0.0, 1e300, 5e-324], JSON, id="floats"),
        pytest.param([2**70, -(2**90)], JSON, id="integers beyond 64 bits"),
        pytest.param([math.inf, 1.0], JSON_TAGGED, id="infinity"),
        pytest.param((1, (2,)), JSON_TAGGED, id="tuples"),
        pytest.param({1: "a", (2, 3): "b"}, JSON_TAGGED, id="keys that are not strings"),
        pytest.param([{"$dict": 1}, (1,)], JSON_TAGGED, id="keys that look like tags, among tuples"),
        pytest.param({1, 2}, JSON_TAGGED, id="a set"),
        pytest.param(frozenset({"a"}), JSON_TAGGED, id="a frozenset"),
        pytest.param(b"\x00\xff", JSON_TAGGED, id="bytes"),
        pytest.param(bytearray(b"x"), JSON_TAGGED, id="a bytearray"),
        pytest.param(dt.datetime(2026, 3, 4, 5, 6, 7, 8), JSON_TAGGED, id="a datetime"),
        pytest.param(dt.datetime(2026, 3, 4, tzinfo=ATHENS), JSON_TAGGED, id="a datetime of a zone"),
        pytest.param(dt.datetime(2026, 10, 25, 3, 30, fold=1, tzinfo=ATHENS), JSON_TAGGED, id="the second 3:30"),
        pytest.param(dt.date(2026, 3, 4), JSON_TAGGED, id="a date"),
        pytest.param(dt.time(1, 2, 3), JSON_TAGGED, id="a time"),
        pytest.param(dt.timedelta(days=-1, microseconds=5), JSON_TAGGED, id="a timedelta"),
        pytest.param(decimal.Decimal("1.10"), JSON_TAGGED, id="a Decimal"),
        pytest.param(uuid.UUID(int=1), JSON_TAGGED, id="a UUID"),
        pytest.param(Path("a/b"), JSON_TAGGED, id="a path"),
        pytest.param([Colour.RED, Colour.DEEP, Level.LOW], JSON_TAGGED, id="enums"),
        pytest.param([ORDER], JSON_TAGGED, id="dataclasses"),
        pytest.param(Derived("a"), JSON_TAGGED, id="a dataclass with a field it computes"),
        pytest.param(Plain(3), PICKLE, id="an object"),
        pytest.param(Point(1, 2), PICKLE, id="a named tuple"),
        pytest.param(OrderedDict(a=1), PICKLE, id="a dict of another type"),
        pytest.param(1 + 2j, PICKLE, id="a complex number"),
        pytest.param("\ud800", PICKLE, id="a lone surrogate"),
        pytest.param([1 << 20_000], PICKLE, id="an integer of thousands of digits"),
        pytest.param([(1,), Plain(4)], PICKLE, id="an object among tuples"),
        pytest.param(dt.datetime(2026, 3, 4, fold=1), PICKLE, id="a fold without a zone"),
        pytest.param(dt.timedelta.max, PICKLE, id="a timedelta that no float holds"),
    ],
)
def test_a_value_comes_back_as_it_was(value, codec):
    encoded = encode(value)
    assert encoded.codec == codec
    found = decode(encoded)
    assert found == value
    assert type(found) is type(value)
    assert _shape(found) == _shape(value)


def test_a_class_that_says_how_to_pickle_is_asked():
    assert decode(encode(OwnPickle(1))) == OwnPickle(2)


def test_a_zoned_datetime_keeps_its_zone():
    found = decode(encode(dt.datetime(2026, 3, 4, tzinfo=ATHENS)))
    assert found.tzinfo.key == "Europe/Athens"


def test_nan_comes_back_as_nan():
    assert math.isnan(decode(encode([math.nan]))[0])


def test_a_cycle_is_kept():
    value: list[Any] = [1]
    value.append(value)
    found = decode(encode(value))
    assert found[1] is found


def test_plain_values_are_plain_json():
    assert encode({"rows": 3, "names": ["a", None]}).data == b'{"rows":3,"names":["a",null]}'


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(dt.timezone.utc) | st.just(ATHENS), allow_imaginary=False)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.sampled_from(Colour)
)
keys = st.text() | st.integers() | st.tuples(st.booleans(), st.text())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_every_value_of_these_types_comes_back(value):
    encoded = encode(value)
    found = decode(encoded)
    assert found == value
    assert _shape(found) == _shape(value)
    assert encode(found) == encoded


@given(values)
def test_what_is_json_can_be_read_without_running_anything(value):
    encoded = encode(value)
    view = readable(encoded)
    msgspec.json.encode(view)
    assert encoded.codec != PICKLE or view is None


def test_what_people_read_has_no_tags():
    result = {"order": ORDER, "when": dt.date(2026, 3, 4), "parts": (1, {2}), "level": Level.LOW, 3: "three"}
    assert readable(encode(result)) == {
        "order": {
            "id": "00000000-0000-0000-0000-000000000007",
            "amount": "1.20",
            "at": "2026-03-04T00:00:00+00:00",
            "tags": ["a"],
        },
        "when": "2026-03-04",
        "parts": [1, [2]],
        "level": 1,
        "3": "three",
    }
    assert readable(encode([1])) == [1]
    assert readable(encode(Plain(1))) is None


@pytest.mark.parametrize(
    "make, words",
    [
        pytest.param(lambda: sqlite3.connect(":memory:"), "it is a sqlite3.Connection", id="itself"),
        pytest.param(
            lambda: {"rows": [1, {"c": (x for x in ())}]},
            "at result['rows'][1]['c'] is a generator, which can be read only once",
            id="deep inside",
        ),
        pytest.param(lambda: Plain(Plain(lambda: 1)), "at result.x.x is a function", id="an attribute"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place(make, words):
    with pytest.raises(ArtifactSerializationError, match="cannot be stored") as caught:
        encode(make())
    assert words in str(caught.value)


def test_a_class_made_inside_a_function_cannot_be_stored():
    @dataclasses.dataclass
    class Local:
        x: int

    with pytest.raises(ArtifactSerializationError, match=r"\[0\] is a .*Local"):
        encode([Local(1)])


@pytest.mark.parametrize(
    "encoded, words",
    [
        pytest.param(Encoded(JSON, b"1", encode(2).sha256), "damaged", id="other bytes"),
        pytest.param(Encoded.of(JSON, b"{"), "cannot be read", id="cut off"),
        pytest.param(Encoded.of(JSON_TAGGED, b'{"$type":"enum","of":"no.such:X","value":1}'), "no", id="no module"),
        pytest.param(Encoded.of(JSON_TAGGED, b'{"$type":"later","value":1}'), "later", id="an unknown tag"),
        pytest.param(Encoded.of(PICKLE, b"x"), "cannot be read", id="no pickle"),
        pytest.param(Encoded.of("zip", b""), "unknown codec 'zip'", id="an unknown codec"),
    ],
)
def test_what_cannot_be_read_is_a_named_error(encoded, words):
    with pytest.raises(ArtifactSerializationError, match=words):
        decode(encoded)


def test_a_damaged_result_is_not_shown_either():
    with pytest.raises(ArtifactSerializationError, match="damaged"):
        readable(Encoded(JSON, b"1", encode(2).sha256))


def test_data_frames_are_parquet_when_that_keeps_them():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"n": [1, 2], "t": ["a", None], "at": pd.to_datetime(["2026-03-04", "2026-03-05"])})
    encoded = encode(frame)
    assert encoded.codec == PARQUET
    pd.testing.assert_frame_equal(decode(encoded), frame)
    mixed = pd.DataFrame({"x": [1, "a", (2,)]})
    assert encode(mixed).codec == PICKLE
    pd.testing.assert_frame_equal(decode(encode(mixed)), mixed)


def test_arrow_tables_are_parquet():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"n": [1, 2], "t": ["a", None]})
    encoded = encode(table)
    assert encoded.codec == PARQUET
    assert decode(encoded).equals(table)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return dict, [(_shape(key), _shape(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_shape(item) for item in value]
    return type(value), str(value) if isinstance(value, float) else None
