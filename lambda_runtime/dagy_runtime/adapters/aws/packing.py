"""Keeps items small: JSON text up to 32 KiB stays in the item as it is, more is compressed, and what is still more
than that goes to the bucket, with a reference in its place.

The attribute's type says which it is: string, binary, or a map of the object's key and SHA-256. JSON text keeps what
DynamoDB's own types lose: 1 and 1.0, integers of any size, empty and null. An object's name is the hash of what is in
it, so repeats and races write the same bytes to the same place.

IAM: s3:PutObject, s3:GetObject on `state/*` of the artifact bucket.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any, Final

from dagy.core.errors import Conflict
from dagy_runtime.ports import Blobs

INLINE_BYTES: Final = 32 * 1024
STATE_PREFIX: Final = "state/"


class Packing:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def packed(self, value: Any, *, owner: str) -> str | bytes | dict[str, str]:
        """JSON data as an attribute. `owner` says whose it is in the bucket, `runs/<id>`."""
        data = _json(value)
        if len(data) <= INLINE_BYTES:
            return data.decode()
        compressed = gzip.compress(data, compresslevel=6, mtime=0)
        if len(compressed) <= INLINE_BYTES:
            return compressed
        sha256 = hashlib.sha256(compressed).hexdigest()
        key = f"{STATE_PREFIX}{owner}/{sha256}.json.gz"
        self._blobs.put(key, compressed, content_type="application/gzip")
        return {"key": key, "sha256": sha256}

    def unpacked(self, attribute: Any) -> Any:
        """Raises: Conflict when the object in the bucket is not what the item refers to."""
        if isinstance(attribute, str):
            return json.loads(attribute)
        if isinstance(attribute, bytes):
            return json.loads(gzip.decompress(attribute))
        compressed = self._blobs.get(attribute["key"])
        if hashlib.sha256(compressed).hexdigest() != attribute["sha256"]:
            raise Conflict(f"The object {attribute['key']} is not what was stored there: its SHA-256 differs")
        return json.loads(gzip.decompress(compressed))


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as in file names that are not UTF-8
        return json.dumps(value, separators=(",", ":")).encode()
