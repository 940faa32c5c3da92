"""Versioned bytes in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.offer import MAX_ARTIFACT_BYTES, check_artifact_bytes
from dagy_runtime.ports import Pulse, no_pulse
from dagy_runtime.values import ArtifactRef

_CHUNK_BYTES: Final = 1024 * 1024


class _Version(Struct, frozen=True):
    id: str
    data: bytes


@dataclass
class MemoryBlobs:
    """Every put makes a version `v1`, `v2`, … of its key."""

    bucket: str = "dagy-artifacts-memory"
    _versions: dict[str, list[_Version]] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        with self._lock:
            versions = self._versions.setdefault(key, [])
            versions.append(_Version(f"v{len(versions) + 1}", bytes(data)))
            self._deleted.discard(key)

    def get(self, key: str, *, version_id: str | None = None) -> bytes:
        if version := self._find(key, version_id):
            return version.data
        raise NotFound("object", f"s3://{self.bucket}/{key}")

    def put_file(
        self, key: str, path: Path, *, content_type: str = "application/octet-stream", pulse: Pulse = no_pulse
    ) -> None:
        with path.open("rb") as file:
            data = b"".join(_chunks(file, pulse))
        self.put(key, data, content_type=content_type)

    def get_file(self, key: str, path: Path, *, version_id: str | None = None, pulse: Pulse = no_pulse) -> str:
        data = self.get(key, version_id=version_id)
        with path.open("wb") as file:
            for chunk in _chunks(BytesIO(data), pulse):
                file.write(chunk)
        return hashlib.sha256(data).hexdigest()

    def open(self, key: str, *, version_id: str | None = None) -> IO[bytes]:
        return BytesIO(self.get(key, version_id=version_id))

    def delete(self, key: str) -> None:
        with self._lock:
            if key in self._versions:
                self._deleted.add(key)

    def exists(self, key: str, *, version_id: str | None = None) -> bool:
        return self._find(key, version_id) is not None

    def list_keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
        with self._lock:
            keys = sorted(key for key in self._versions if key.startswith(prefix) and key not in self._deleted)
        return [key for key in keys if after is None or key > after][:limit]

    def find_artifact(
        self, bucket: str, key: str, version_id: str | None, *, max_bytes: int = MAX_ARTIFACT_BYTES
    ) -> ArtifactRef | None:
        if bucket != self.bucket:
            raise InvalidInput(f"'{bucket}' is not this stage's bucket", f"Upload to '{self.bucket}'.")
        version = self._find(key, version_id)
        if version is None:
            return None
        check_artifact_bytes(len(version.data), max_bytes)
        sha256 = hashlib.sha256(version.data).hexdigest()
        return ArtifactRef(bucket, key, sha256, version.id, len(version.data))

    def presigned_get(self, key: str, *, expires_s: int) -> str:
        return f"memory://{self.bucket}/{key}?expires_s={expires_s}"

    def _find(self, key: str, version_id: str | None) -> _Version | None:
        with self._lock:
            versions = self._versions.get(key, [])
            if version_id is None:
                return versions[-1] if versions and key not in self._deleted else None
            return next((version for version in versions if version.id == version_id), None)


def _chunks(file: IO[bytes], pulse: Pulse) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
        pulse()
