"""Python values as DynamoDB attribute values, and back. Only the types that items here are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]  # attribute names to plain Python values
WireItem = dict[str, Any]  # attribute names to `{"S": ...}` and the like


def to_wire(item: Mapping[str, Any]) -> WireItem:
    """Attributes that are None are left out."""
    return {name: encoded(value) for name, value in item.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    return {name: decoded(value) for name, value in item.items()}


def encoded(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": to_wire(value)}
    if isinstance(value, (list, tuple)):
        return {"L": [encoded(one) for one in value]}
    if isinstance(value, (set, frozenset)):
        if all(isinstance(one, str) for one in value):
            return {"SS": sorted(value)}
        return {"NS": [repr(int(one)) for one in sorted(value)]}
    raise TypeError(f"{type(value).__name__} is not stored in items")


def decoded(attribute: Mapping[str, Any]) -> Any:
    """Numbers come back as int when they are whole: DynamoDB does not keep the difference between 1 and 1.0."""
    [(kind, value)] = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "NS":
        return {int(one) for one in value}
    if kind == "SS":
        return set(value)
    if kind == "M":
        return from_wire(value)
    if kind == "L":
        return [decoded(one) for one in value]
    return value
