"""Read and write units of DynamoDB requests, estimated from the sizes of items as AWS charges them.

A strongly consistent read costs one unit per 4 KiB begun, one of an index half; a write one per KiB begun, in the table
and again in each index the item is in, twice that in a transaction. Sizes are those of the JSON the items travel in, a
little more than DynamoDB counts. Sources: DynamoDB developer guide, "read/write capacity mode", "item sizes and
formats".
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

INDEXES = 4


@dataclass
class Units:
    """What was used since `take` was called last. `calls` are requests to DynamoDB."""

    reads: float = 0.0
    writes: float = 0.0
    calls: int = 0
    updates: Counter[str] = field(default_factory=Counter)  # write units of updates, by the kind of item, for good
    _asked: list[Any] = field(default_factory=list)

    def take(self) -> tuple[float, float, int]:
        taken = (self.reads, self.writes, self.calls)
        self.reads, self.writes, self.calls = 0.0, 0.0, 0
        return taken

    def watch(self, client: Any) -> None:
        """Count every request of a boto3 DynamoDB client from now on."""
        for event, act in self._handlers():
            client.meta.events.register(event, act, unique_id=f"units-{event}")

    def unwatch(self, client: Any) -> None:
        for event, act in self._handlers():
            client.meta.events.unregister(event, act, unique_id=f"units-{event}")

    def _handlers(self) -> list[tuple[str, Any]]:
        return [("provide-client-params.dynamodb", self._before), ("after-call.dynamodb", self._after)]

    def _before(self, params: Any, **_: Any) -> None:
        self._asked.append(params)

    def _after(self, model: Any, parsed: Any, **_: Any) -> None:
        asked = self._asked.pop()
        self.calls += 1
        count = getattr(self, f"_{model.name}", None)
        if count is not None:
            count(asked, parsed)

    def _GetItem(self, asked: Any, answer: Any) -> None:
        self.reads += _read(answer.get("Item"))

    def _BatchGetItem(self, asked: Any, answer: Any) -> None:
        wanted = sum(len(part["Keys"]) for part in asked["RequestItems"].values())
        found = [item for items in answer["Responses"].values() for item in items]
        self.reads += sum(map(_read, found)) + wanted - len(found)

    def _Query(self, asked: Any, answer: Any) -> None:
        together = max(1, math.ceil(sum(map(_bytes, answer["Items"])) / 4096))
        self.reads += together / 2 if "IndexName" in asked else together

    def _PutItem(self, asked: Any, answer: Any) -> None:
        self.writes += _write(asked["Item"])

    def _UpdateItem(self, asked: Any, answer: Any) -> None:
        units = _write(answer.get("Attributes") or asked.get("ExpressionAttributeValues"))
        self.writes += units
        self.updates[asked["Key"]["sk"]["S"].partition("#")[0]] += units

    def _DeleteItem(self, asked: Any, answer: Any) -> None:
        self.writes += _write(answer.get("Attributes"))

    def _BatchWriteItem(self, asked: Any, answer: Any) -> None:
        for requests in asked["RequestItems"].values():
            for request in requests:
                self.writes += _write(request.get("PutRequest", {}).get("Item"))

    def _TransactWriteItems(self, asked: Any, answer: Any) -> None:
        for write in asked["TransactItems"]:
            (request,) = write.values()
            self.writes += 2 * _write(request.get("Item") or _named_values(request))


def _named_values(update: Any) -> dict[str, Any]:
    """An update's values under the names of their attributes, near enough to the item it makes."""
    return {name.lstrip(":"): value for name, value in update.get("ExpressionAttributeValues", {}).items()}


def _bytes(item: Any) -> int:
    return len(json.dumps(item, default=lambda value: "x" * len(bytes(value)))) if item else 1


def _read(item: Any) -> int:
    return math.ceil(_bytes(item) / 4096)


def _write(item: Any) -> int:
    copies = 1 + sum(f"gsi{number}pk" in (item or {}) for number in range(1, INDEXES + 1))
    return math.ceil(_bytes(item) / 1024) * copies
