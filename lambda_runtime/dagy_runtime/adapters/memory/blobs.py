"""Versioned bytes in memory."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.offer import MAX_ARTIFACT_BYTES, check_artifact_bytes
from dagy_runtime.values import ArtifactRef


@dataclass(frozen=True, slots=True)
class _Version:
    id: str
    data: bytes


@dataclass
class MemoryBlobs:
    """Every put makes a version `v1`, `v2`, … of its key."""

    bucket: str = "dagy-artifacts-memory"
    _versions: dict[str, list[_Version]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        with self._lock:
            versions = self._versions.setdefault(key, [])
            versions.append(_Version(f"v{len(versions) + 1}", bytes(data)))

    def get(self, key: str, *, version_id: str | None = None) -> bytes:
        if version := self._find(key, version_id):
            return version.data
        raise NotFound("object", f"s3://{self.bucket}/{key}")

    def put_file(self, key: str, path: Path, *, content_type: str = "application/octet-stream") -> None:
        self.put(key, path.read_bytes(), content_type=content_type)

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def list_keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
        with self._lock:
            keys = sorted(key for key in self._versions if key.startswith(prefix))
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
                return versions[-1] if versions else None
            return next((version for version in versions if version.id == version_id), None)
