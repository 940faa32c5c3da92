"""Answers to requests with an idempotency key, in the table.

IAM: dynamodb:GetItem, UpdateItem on the table.
"""

from __future__ import annotations

import gzip
from typing import Final

from dagy_runtime.adapters import rules
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.table import Refused, Table
from dagy_runtime.ports import Begun, Remembered, UnderWay

TTL_S: Final = 48 * 3600
MAX_BODY_BYTES: Final = 256 * 1024  # compressed


class DynamoAnswers:
    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(
        self, key: str, *, request_hash: str, owner: str, now: float, lease_s: float
    ) -> Begun | UnderWay | Remembered:
        """What has expired is taken over: DynamoDB may take days to delete what TTL says."""
        ttl = schema.TTL_ATTRIBUTE
        begun = self._table.update(
            schema.answer_key(key),
            f"SET #request_hash = :request, #owner = :owner, #until = :until, #{ttl} = :ttl REMOVE #status, #body",
            when=f"attribute_not_exists(#pk) OR #{ttl} < :now OR "
            "(#request_hash = :request AND attribute_not_exists(#status) AND (#until <= :now OR #owner = :owner))",
            values={
                ":request": request_hash,
                ":owner": owner,
                ":until": now + lease_s,
                ":ttl": int(now) + TTL_S,
                ":now": now,
            },
        )
        if not isinstance(begun, Refused):
            return Begun()
        found = begun.found or {}
        if found.get("request_hash", request_hash) != request_hash:
            raise rules.answer_of_another_request()
        if "status" not in found:
            return UnderWay()
        body = found.get("body")
        return Remembered(found["status"], None if body is None else gzip.decompress(body))

    def finish(self, key: str, *, owner: str, status: int, body: bytes | None) -> None:
        compressed = gzip.compress(body, mtime=0) if body is not None else None
        kept = {":body": compressed} if compressed is not None and len(compressed) <= MAX_BODY_BYTES else {}
        self._table.update(
            schema.answer_key(key),
            "SET #status = :status" + (", #body = :body" if kept else ""),
            when="#owner = :owner",
            values={":status": status, ":owner": owner, **kept},
        )

    def give_up(self, key: str, *, owner: str) -> None:
        self._table.update(
            schema.answer_key(key),
            "SET #until = :never",
            when="#owner = :owner AND attribute_not_exists(#status)",
            values={":never": 0, ":owner": owner},
        )
