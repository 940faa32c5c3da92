"""Bytes in the artifact bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from dagy.core.offer import MAX_ARTIFACT_BYTES
from dagy_runtime.values import ArtifactRef

Pulse = Callable[[], object]
"""Called now and then (for each MiB at least) while something large is under way, for what cannot wait. It must not
raise."""


def no_pulse() -> None:
    """For callers with nothing that could not wait."""


class Blobs(Protocol):
    """Bytes in the artifact bucket."""

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store, replacing."""

    def get(self, key: str, *, version_id: str | None = None) -> bytes:
        """Raises: NotFound."""

    def put_file(
        self, key: str, path: Path, *, content_type: str = "application/octet-stream", pulse: Pulse = no_pulse
    ) -> None:
        """Store the file's content, replacing, without holding it in memory."""

    def get_file(self, key: str, path: Path, *, version_id: str | None = None, pulse: Pulse = no_pulse) -> str:
        """Write the object into that file, replacing, without holding it in memory; the SHA-256, hex, of what was
        written.

        Raises: NotFound; OSError when the file cannot be written, which may hold a part of the object then.
        """

    def open(self, key: str, *, version_id: str | None = None) -> IO[bytes]:
        """The object as a file for reading, of which only what is read is fetched. Raises: NotFound."""

    def delete(self, key: str) -> None:
        """Its versions stay, for those who know their ids. A repeat, or one that was never there, is fine."""

    def exists(self, key: str, *, version_id: str | None = None) -> bool:
        """Whether `get` would find it."""

    def list_keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
        """Keys with that prefix, in order, those above `after`."""

    def find_artifact(
        self, bucket: str, key: str, version_id: str | None, *, max_bytes: int = MAX_ARTIFACT_BYTES
    ) -> ArtifactRef | None:
        """What stands there, with the SHA-256 the store itself computed of it; None when there is nothing.

        Raises: InvalidInput when `bucket` is not this stage's, or it is larger than `max_bytes`; it is not read then.
        """

    def presigned_get(self, key: str, *, expires_s: int) -> str:
        """A URL that downloads it without credentials."""
