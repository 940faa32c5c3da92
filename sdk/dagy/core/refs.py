"""References: how a task's arguments say "the result of that other task", inside nested data and as JSON.

Two forms of the same arguments exist. *Live* arguments are what the author's code passed: any Python values,
with `TaskOutput` where a result will stand. *Serialised* arguments are JSON, for the spec: results are
`{"$ref": "<task run id>"}`, parameters not known when the flow was traced are `{"$param": "<name>"}`, and JSON
has no word for some values, so those are tagged `{"$type": ..., "value": ...}`. A dict of the author's with a
key that starts with `$` is wrapped in `{"$dict": [[key, value], ...]}`, as is one whose keys are not all
strings, so nothing of theirs is ever mistaken for one of ours.

Execution always hydrates live arguments; the serialised form is for showing, hashing, and dependencies.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from dagy.core.placeholders import Placeholder

LEAVES: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types that never hold anything else; most data of large flows is of them."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TaskOutput(Placeholder):
    """Stands for the result a task run will have. Pass it to other tasks; they wait for it.

    `task_run_id` is unique within the flow. The value itself exists only while the flow runs.
    """

    task_run_id: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskOutput):
            self._refuse("compares")
        return self.task_run_id == other.task_run_id

    def __hash__(self) -> int:
        return hash((TaskOutput, self.task_run_id))

    def _told(self) -> tuple[str, str]:
        return (
            f"The result of task run '{self.task_run_id}' does not exist yet",
            "Do that inside a task: tasks get the result itself.",
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ParameterRef(Placeholder):
    """Stands for a flow parameter that has no value yet, in a flow traced without one.

    Its name is in `_name`, because `.name` is something authors ask their own values for; see `parameter_of`.
    """

    _name: str

    def _told(self) -> tuple[str, str]:
        return (
            f"Parameter '{self._name}' has no value yet",
            f"Give it one (--param {self._name}=<value>, or build({self._name}=...)), or do that inside a task.",
        )


def parameter_of(ref: ParameterRef) -> str:
    """The name of the parameter that `ref` stands for."""
    return ref._name


def placeholders_in(value: Any) -> Iterator[Placeholder]:
    """Every stand-in inside live data, in the order a reader meets them; one may come twice."""
    if type(value) in LEAVES:
        return
    if isinstance(value, Placeholder):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from placeholders_in(key)
            yield from placeholders_in(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            if type(item) not in LEAVES:
                yield from placeholders_in(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from placeholders_in(getattr(value, field.name))


def refs_in(value: Any) -> Iterator[TaskOutput]:
    """Every `TaskOutput` inside live data, in the order a reader meets them; one may come twice."""
    return (found for found in placeholders_in(value) if isinstance(found, TaskOutput))


def hydrate(value: Any, result_of: Callable[[str], Any]) -> Any:
    """Live data with every `TaskOutput` replaced by `result_of(its id)`.

    Containers without references come back as the very same objects; the others are rebuilt with their own type
    (named tuples and dataclasses included).
    """
    if type(value) in LEAVES:
        return value
    if isinstance(value, TaskOutput):
        return result_of(value.task_run_id)
    if next(refs_in(value), None) is None:
        return value
    if isinstance(value, Mapping):
        return {hydrate(key, result_of): hydrate(item, result_of) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [hydrate(item, result_of) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [hydrate(item, result_of) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value)(hydrate(item, result_of) for item in value)
    changes = {
        field.name: hydrate(getattr(value, field.name), result_of) for field in dataclasses.fields(value) if field.init
    }
    return dataclasses.replace(value, **changes)


def to_json(value: Any) -> Any:
    """Live data as JSON data; see the module for the tags. Never fails: what has no JSON form becomes
    `{"$type": "opaque", "value": "<module>.<class>"}`, which only re-tracing can bring back."""
    if value is None or (isinstance(value, (bool, str)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, TaskOutput):
        return {"$ref": value.task_run_id}
    if isinstance(value, ParameterRef):
        return {"$param": parameter_of(value)}
    if isinstance(value, enum.Enum):
        return _tagged("enum", to_json(value.value), of=type(value))
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _tagged("float", repr(value))
    if isinstance(value, Mapping):
        return _mapping_to_json(value)
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, tuple):
        return _tagged("tuple", [to_json(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return _tagged("set", sorted((to_json(item) for item in value), key=repr))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return _tagged("dataclass", fields, of=type(value))
    return _leaf_to_json(value)


def refs_in_json(value: Any) -> Iterator[str]:
    """The task run ids that serialised data refers to, in reading order; one may come twice."""
    if isinstance(value, dict):
        if set(value) == {"$ref"} and isinstance(value["$ref"], str):
            yield value["$ref"]
            return
        for item in value.values():
            yield from refs_in_json(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs_in_json(item)


def _mapping_to_json(value: Mapping[Any, Any]) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {str(key): to_json(item) for key, item in value.items()}
    return {"$dict": [[to_json(key), to_json(item)] for key, item in value.items()]}


def _leaf_to_json(value: Any) -> Any:
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return _tagged(type(value).__name__, value.isoformat())
    if isinstance(value, dt.timedelta):
        return _tagged("timedelta", value.total_seconds())
    if isinstance(value, decimal.Decimal):
        return _tagged("decimal", str(value))
    if isinstance(value, uuid.UUID):
        return _tagged("uuid", str(value))
    if isinstance(value, (bytes, bytearray)):
        return _tagged("bytes", base64.b64encode(value).decode("ascii"))
    if isinstance(value, PurePath):
        return _tagged("path", value.as_posix())
    return _tagged("opaque", f"{type(value).__module__}.{type(value).__qualname__}")


def _tagged(kind: str, value: Any, of: type | None = None) -> dict[str, Any]:
    tagged = {"$type": kind, "value": value}
    if of is not None:
        tagged["of"] = f"{of.__module__}.{of.__qualname__}"
    return tagged
