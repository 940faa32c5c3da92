"""JSON with tags for the values JSON has no word for, read back as equal values of the same types.

The tags are those of `dagy.core.refs`: `{"$type": kind, "value": ...}`, and `{"$dict": [[key, value], ...]}` for
dicts whose keys are not all strings free of a leading `$`. Classes are named `module:qualname` under `of`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import math
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from dagy.core.errors import ArtifactSerializationError
from dagy.core.refs import ParameterRef, TaskOutput


class NoTag(Exception):
    """The value holds something that tags cannot keep exactly."""


def to_json(value: Any) -> Any:
    """Raises: NoTag; ArtifactSerializationError for the placeholders of a flow being traced."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else _tag("float", repr(value))
    if kind is list:
        return [to_json(item) for item in value]
    if kind is dict:
        return _dict_to_json(value)
    to_text = _LEAVES.get(kind)
    if to_text is not None:
        return to_text(value)
    if kind is tuple:
        return _tag("tuple", [to_json(item) for item in value])
    if kind is set or kind is frozenset:
        return _tag(kind.__name__, sorted((to_json(item) for item in value), key=repr))
    if isinstance(value, enum.Enum):
        return _enum_to_json(value)
    if dataclasses.is_dataclass(kind):
        return _dataclass_to_json(value)
    raise NoTag


def from_json(data: Any) -> Any:
    """The value that `to_json` was given.

    Raises: KeyError, ValueError, ImportError, AttributeError when it cannot be built here.
    """
    if isinstance(data, list):
        return [from_json(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "$dict" in data:
        return {from_json(key): from_json(item) for key, item in data["$dict"]}
    if "$type" not in data:
        return {key: from_json(item) for key, item in data.items()}
    return _READERS[data["$type"]](data)


def untagged(data: Any) -> Any:
    """Tagged JSON as plain JSON for people: every tag gives way to what it holds."""
    if isinstance(data, list):
        return [untagged(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "$dict" in data:
        pairs = [(untagged(key), untagged(item)) for key, item in data["$dict"]]
        return {key if isinstance(key, str) else str(key): item for key, item in pairs}
    if "$type" in data:
        return untagged(data["value"])
    return {key: untagged(item) for key, item in data.items()}


def _tag(kind: str, value: Any, **more: str) -> dict[str, Any]:
    return {"$type": kind, "value": value, **more}


def _dict_to_json(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: to_json(item) for key, item in value.items()}
    return {"$dict": [[to_json(key), to_json(item)] for key, item in value.items()]}


def _datetime_to_json(value: dt.datetime) -> Any:
    zone = value.tzinfo
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        wall = value.replace(tzinfo=None, fold=0).isoformat()
        return _tag("datetime", wall, zone=zone.key, **({"fold": "1"} if value.fold else {}))
    if value.fold or not (zone is None or type(zone) is dt.timezone):
        raise NoTag
    return _tag("datetime", value.isoformat())


def _time_to_json(value: dt.time) -> Any:
    if value.fold or not (value.tzinfo is None or type(value.tzinfo) is dt.timezone):
        raise NoTag
    return _tag("time", value.isoformat())


def _timedelta_to_json(value: dt.timedelta) -> Any:
    seconds = value.total_seconds()
    try:
        is_exact = dt.timedelta(seconds=seconds) == value
    except OverflowError:
        is_exact = False
    if not is_exact:  # a float has too few digits beyond 270 years of microseconds
        raise NoTag
    return _tag("timedelta", seconds)


def _enum_to_json(value: enum.Enum) -> Any:
    kind = type(value)
    data = _tag("enum", to_json(value.value), of=_class_path(kind))
    if kind(value.value) is not value:
        raise NoTag
    return data


def _dataclass_to_json(value: Any) -> Any:
    kind = type(value)
    if issubclass(kind, (TaskOutput, ParameterRef)):
        raise ArtifactSerializationError(
            f"A result cannot be stored: it holds {value!r}, which stands for a value only in a flow's body; "
            "call tasks there, not inside another task"
        )
    names = [field.name for field in dataclasses.fields(kind)]
    if _says_how_to_pickle(kind) or not set(getattr(value, "__dict__", ())) <= set(names) or _has_builtin_base(kind):
        raise NoTag
    try:
        return _tag("dataclass", {name: to_json(getattr(value, name)) for name in names}, of=_class_path(kind))
    except AttributeError:  # a field that was never set
        raise NoTag from None


def _says_how_to_pickle(kind: type) -> bool:
    return any(getattr(kind, name) is not getattr(object, name) for name in ("__reduce__", "__reduce_ex__"))


def _has_builtin_base(kind: type) -> bool:
    return issubclass(kind, (list, dict, set, frozenset, tuple, str, bytes, int, float, BaseException))


def _class_path(kind: type) -> str:
    """Raises: NoTag unless the path leads back to this very class."""
    module = sys.modules.get(kind.__module__)
    found: Any = module
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is not kind:
        raise NoTag
    return f"{kind.__module__}:{kind.__qualname__}"


def _class_at(path: str) -> Any:
    module, _, qualname = path.partition(":")
    found: Any = import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


def _read_datetime(data: dict[str, Any]) -> dt.datetime:
    value = dt.datetime.fromisoformat(data["value"])
    if "zone" in data:
        return value.replace(tzinfo=zoneinfo.ZoneInfo(data["zone"]), fold=int(data.get("fold", 0)))
    return value


def _read_dataclass(data: dict[str, Any]) -> Any:
    """Sets the fields without calling `__init__`, as pickle does: what `__post_init__` made of them is what was
    stored."""
    kind = _class_at(data["of"])
    value = object.__new__(kind)
    for name, item in data["value"].items():
        object.__setattr__(value, name, from_json(item))
    return value


def _bytes_to_json(value: bytes | bytearray) -> Any:
    return _tag(type(value).__name__, base64.b64encode(value).decode("ascii"))


_LEAVES: Final[Mapping[type, Callable[[Any], Any]]] = {
    dt.datetime: _datetime_to_json,
    dt.date: lambda value: _tag("date", value.isoformat()),
    dt.time: _time_to_json,
    dt.timedelta: _timedelta_to_json,
    decimal.Decimal: lambda value: _tag("decimal", str(value)),
    uuid.UUID: lambda value: _tag("uuid", str(value)),
    bytes: _bytes_to_json,
    bytearray: _bytes_to_json,
    type(Path()): lambda value: _tag("path", str(value)),
}

_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "float": lambda data: float(data["value"]),
    "tuple": lambda data: tuple(from_json(item) for item in data["value"]),
    "set": lambda data: {from_json(item) for item in data["value"]},
    "frozenset": lambda data: frozenset(from_json(item) for item in data["value"]),
    "datetime": _read_datetime,
    "date": lambda data: dt.date.fromisoformat(data["value"]),
    "time": lambda data: dt.time.fromisoformat(data["value"]),
    "timedelta": lambda data: dt.timedelta(seconds=data["value"]),
    "decimal": lambda data: decimal.Decimal(data["value"]),
    "uuid": lambda data: uuid.UUID(data["value"]),
    "bytes": lambda data: base64.b64decode(data["value"]),
    "bytearray": lambda data: bytearray(base64.b64decode(data["value"])),
    "path": lambda data: Path(data["value"]),
    "enum": lambda data: _class_at(data["of"])(from_json(data["value"])),
    "dataclass": _read_dataclass,
}
