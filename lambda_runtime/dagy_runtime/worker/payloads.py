"""Encoded values on their way through the pipe: small ones inside the frame, large ones as a file beside it."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Final

from dagy.core.errors import ArtifactSerializationError
from dagy.results import Encoded
from dagy_runtime.worker.frames import INLINE_BYTES, Payload

MAX_RESULT_BYTES: Final = 512 * 1024 * 1024


def to_payload(encoded: Encoded, *, folder: Path) -> Payload:
    """Raises: ArtifactSerializationError when it is above 512 MiB, or does not fit on the disk."""
    size_bytes = encoded.size_bytes
    if size_bytes <= INLINE_BYTES:
        return Payload(encoded.codec, encoded.sha256, size_bytes, data=encoded.data)
    if size_bytes > MAX_RESULT_BYTES:
        raise ArtifactSerializationError(
            f"The result takes {size_bytes / 2**20:,.0f} MiB stored; at most {MAX_RESULT_BYTES >> 20} MiB can be. "
            "Write it to a place of your own and return where it is."
        )
    path = folder / uuid.uuid4().hex
    try:
        path.write_bytes(encoded.data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ArtifactSerializationError(
            f"The result takes {size_bytes / 2**20:,.0f} MiB stored, and there is no room for it: {error.strerror}"
        ) from error
    return Payload(encoded.codec, encoded.sha256, size_bytes, path=str(path))


def from_payload(payload: Payload) -> Encoded:
    """Takes the file, if there is one, off the disk. Raises: ArtifactSerializationError for other bytes than sent."""
    if payload.data is not None:
        data = payload.data
    else:
        path = Path(payload.path or "")
        data = path.read_bytes()
        path.unlink()
    if hashlib.sha256(data).hexdigest() != payload.sha256:
        raise ArtifactSerializationError("A stored result does not have its SHA-256")
    return Encoded(payload.codec, data, payload.sha256)
