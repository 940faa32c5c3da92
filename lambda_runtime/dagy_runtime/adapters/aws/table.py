"""One DynamoDB table: the few operations that stores need, in plain Python values.

In expressions every attribute is written `#name`, which stands for the attribute of that name, so reserved words need
no thought. Reads are strongly consistent, except those of an index. There is no scan.

IAM: dynamodb:GetItem, BatchGetItem, PutItem, UpdateItem, DeleteItem, BatchWriteItem on the table; dynamodb:Query on the
table and its indexes. A transaction needs the actions of what is in it, nothing more.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from dagy.core.errors import Conflict, Unavailable
from dagy_runtime.adapters.aws.attributes import Item, from_wire, to_wire
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.errors import error_code, translated
from dagy_runtime.adapters.aws.schema import PARTITION_KEY, SCHEMA_VERSION, SORT_KEY, Key, index_keys

_BATCH_GET_LIMIT: Final = 100
_BATCH_WRITE_LIMIT: Final = 25
TRANSACTION_LIMIT: Final = 100
_TRIES: Final = 8
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_CANCELLED: Final = "TransactionCanceledException"


class NewerLayout(Conflict):
    """What stands in the table was written by a Dagy that lays it out as this one cannot read."""

    code = "newer_layout"

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__(
            f"{item[PARTITION_KEY]} was written by a newer Dagy: layout {item['v']}, this stage reads {SCHEMA_VERSION}",
            "Deploy the stage again with the Dagy it had: dagy infra deploy",
        )
        self.args = (item,)


class Refused(Struct, frozen=True):
    """The condition did not hold and nothing was written. `found` is what stands there, None when nothing does."""

    found: Item | None


class Put(Struct, frozen=True):
    """One write of a transaction."""

    key: Key
    attributes: Mapping[str, Any]
    when: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


class Update(Struct, frozen=True):
    """One write of a transaction. `change` is an update expression."""

    key: Key
    change: str
    when: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


class Table:
    def __init__(self, clients: Clients, name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self.name = name
        self._sleep = sleep

    def get(self, key: Key) -> Item | None:
        answer = self._call("GetItem", {"Key": _wire_key(key), "ConsistentRead": True})
        return _read(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Those that exist. A request per 100 keys, one after the other."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), _BATCH_GET_LIMIT):
            wanted: Any = {"Keys": [_wire_key(key) for key in keys[start : start + _BATCH_GET_LIMIT]]}
            for attempt in range(_TRIES):
                answer = self._call_batch("BatchGetItem", {self.name: {**wanted, "ConsistentRead": True}})
                for item in map(_read, answer["Responses"].get(self.name, ())):
                    found[Key(item[PARTITION_KEY], item[SORT_KEY])] = item
                if not (wanted := answer.get("UnprocessedKeys", {}).get(self.name)):
                    break
                self._back_off(attempt, "dynamodb:BatchGetItem")
        return found

    def put(
        self,
        key: Key,
        attributes: Mapping[str, Any],
        *,
        when: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Refused | None:
        """Replace the item. None when it was written."""
        try:
            self._call("PutItem", _put_request(Put(key, attributes, when, values or {})), passing=_CONDITION_FAILED)
        except Exception as error:
            return self._refused(error, key)
        return None

    def update(self, key: Key, change: str, *, when: str | None = None, values: Mapping[str, Any]) -> Item | Refused:
        """Change the item, or make it when there is none. What stands now."""
        request = _update_request(Update(key, change, when, values))
        try:
            answer = self._call("UpdateItem", {**request, "ReturnValues": "ALL_NEW"}, passing=_CONDITION_FAILED)
        except Exception as error:
            return self._refused(error, key)
        return _read(answer["Attributes"])

    def delete(self, key: Key) -> Item | None:
        """What stood there."""
        answer = self._call("DeleteItem", {"Key": _wire_key(key), "ReturnValues": "ALL_OLD"})
        return _read(answer["Attributes"]) if "Attributes" in answer else None

    def put_batch(self, items: Iterable[tuple[Key, Mapping[str, Any]]]) -> None:
        """Replace items, unconditionally and in no order; of several for one key, the last."""
        self._write_batch(
            [{"PutRequest": {"Item": _wire_item(key, attributes)}} for key, attributes in dict(items).items()]
        )

    def delete_batch(self, keys: Iterable[Key]) -> None:
        """Delete items, whether they are there or not, in no order."""
        self._write_batch([{"DeleteRequest": {"Key": _wire_key(key)}} for key in set(keys)])

    def _write_batch(self, requests: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(requests), _BATCH_WRITE_LIMIT):
            left: Any = requests[start : start + _BATCH_WRITE_LIMIT]
            for attempt in range(_TRIES):
                answer = self._call_batch("BatchWriteItem", {self.name: left})
                if not (left := answer.get("UnprocessedItems", {}).get(self.name)):
                    break
                self._back_off(attempt, "dynamodb:BatchWriteItem")

    def transact(self, writes: Sequence[Put | Update]) -> list[Refused | None] | None:
        """All or nothing, at most 100. None when all were written; otherwise, write by write, what its condition
        refused: None for those that only went down with the others.
        """
        requests = [
            {"Put": self._named(_put_request(write))}
            if isinstance(write, Put)
            else {"Update": self._named(_update_request(write))}
            for write in writes
        ]
        for attempt in range(_TRIES):
            reasons = self._try_transaction(requests)
            if reasons is None:
                return None
            if any(reason["Code"] == "ConditionalCheckFailed" for reason in reasons):
                return [self._reason(reason, write.key) for reason, write in zip(reasons, writes, strict=True)]
            self._back_off(attempt, "dynamodb:TransactWriteItems")
        raise AssertionError("_back_off raises at the last attempt")

    def query(
        self,
        partition: str,
        *,
        page_size: int,
        index: str | None = None,
        after: str | None = None,
        between: tuple[str, str] | None = None,
        is_newest_first: bool = False,
    ) -> Iterator[Item]:
        """The items of a partition by sort key: those beyond `after`, or those in `between`, both ends included.

        Fetches `page_size` at a time, as they are taken.
        """
        partition_name, sort_name = index_keys(index) if index else (PARTITION_KEY, SORT_KEY)
        condition, values = f"#{partition_name} = :partition", {":partition": partition}
        if after is not None:
            condition += f" AND #{sort_name} {'<' if is_newest_first else '>'} :after"
            values[":after"] = after
        if between is not None:
            condition += f" AND #{sort_name} BETWEEN :low AND :high"
            values |= {":low": between[0], ":high": between[1]}
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition),
            "ExpressionAttributeValues": to_wire(values),
            "ScanIndexForward": not is_newest_first,
            "Limit": page_size,
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        while True:
            answer = self._call("Query", request)
            yield from map(_read, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _call(self, operation: str, request: Mapping[str, Any], *, passing: str = "") -> Any:
        """Ask again when a transaction is under way on the same item: nothing was written then."""
        method = getattr(self._clients.get("dynamodb"), _METHODS[operation])
        for attempt in range(_TRIES):
            try:
                with translated(f"dynamodb:{operation}", f"table {self.name}", passing=(passing, _CONFLICT)):
                    return method(TableName=self.name, **request)
            except Exception as error:
                if error_code(error) != _CONFLICT:
                    raise
                self._back_off(attempt, f"dynamodb:{operation}")
        raise AssertionError("_back_off raises at the last attempt")

    def _call_batch(self, operation: str, items: Mapping[str, Any]) -> Any:
        with translated(f"dynamodb:{operation}", f"table {self.name}"):
            return getattr(self._clients.get("dynamodb"), _METHODS[operation])(RequestItems=items)

    def _try_transaction(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
        """Why it was cancelled, write by write; None when it was not."""
        try:
            with translated("dynamodb:TransactWriteItems", f"table {self.name}", passing=(_CANCELLED,)):
                self._clients.get("dynamodb").transact_write_items(TransactItems=requests)
        except Exception as error:
            if error_code(error) != _CANCELLED:
                raise
            return list(error.response["CancellationReasons"])  # type: ignore[attr-defined]
        return None

    def _refused(self, error: Exception, key: Key) -> Refused:
        if error_code(error) != _CONDITION_FAILED:
            raise error
        return self._with_found(error.response.get("Item"), key)  # type: ignore[attr-defined]

    def _reason(self, reason: Mapping[str, Any], key: Key) -> Refused | None:
        return self._with_found(reason.get("Item"), key) if reason["Code"] == "ConditionalCheckFailed" else None

    def _with_found(self, item: Mapping[str, Any] | None, key: Key) -> Refused:
        """Not every emulator says what stood there; reading it again is as good, since all we ask of it is final."""
        return Refused(_read(item) if item else self.get(key))

    def _named(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"TableName": self.name, **request}

    def _back_off(self, attempt: int, action: str) -> None:
        """Wait with jitter, 25 ms and doubling; about 3 s in all. Raises: Unavailable after the last attempt."""
        if attempt == _TRIES - 1:
            raise Unavailable(f"AWS could not serve {action} on table {self.name} now (throttled)", "Try again.")
        self._sleep(0.025 * 2**attempt * (0.5 + random.random()))  # noqa: S311 - jitter


_CONFLICT: Final = "TransactionConflictException"
_METHODS: Final = {
    "GetItem": "get_item",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
}


def setting(attributes: Mapping[str, Any], *, keep_first: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """An update expression, with its values, that makes an item have exactly these attributes: None removes one,
    those in `keep_first` stay as they are once they are there.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    assignments = [
        f"#{name} = if_not_exists(#{name}, :{name})" if name in keep_first else f"#{name} = :{name}" for name in given
    ]
    removed = [f"#{name}" for name, value in attributes.items() if value is None]
    change = f"SET {', '.join(assignments)}" + (f" REMOVE {', '.join(removed)}" if removed else "")
    return change, {f":{name}": value for name, value in given.items()}


def _put_request(write: Put) -> dict[str, Any]:
    return {"Item": _wire_item(write.key, write.attributes), **_expressions(None, write.when, write.values)}


def _update_request(write: Update) -> dict[str, Any]:
    change = write.change.replace("SET ", "SET #v = :v, ", 1)
    values = {**write.values, ":v": SCHEMA_VERSION} if change != write.change else write.values
    return {"Key": _wire_key(write.key), **_expressions(change, write.when, values)}


def _expressions(change: str | None, when: str | None, values: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if change:
        request["UpdateExpression"] = change
    if when:
        request |= {"ConditionExpression": when, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if names := _names(f"{change} {when}"):
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = to_wire(values)
    return request


def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}


def _read(wire: Mapping[str, Any]) -> Item:
    """Raises: NewerLayout."""
    item = from_wire(wire)
    if item.get("v", SCHEMA_VERSION) > SCHEMA_VERSION:
        raise NewerLayout(item)
    return item


def _wire_key(key: Key) -> dict[str, Any]:
    return to_wire({PARTITION_KEY: key.pk, SORT_KEY: key.sk})


def _wire_item(key: Key, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return to_wire({PARTITION_KEY: key.pk, SORT_KEY: key.sk, "v": SCHEMA_VERSION, **attributes})
