"""Where results are kept: small ones in the table's item itself, larger ones under a key of the attempt that made them.

The key belongs to one attempt, so an attempt that was fenced off never overwrites an accepted result.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from dagy.core.errors import ArtifactSerializationError
from dagy.results import Encoded
from dagy_runtime.ports import Blobs, Pulse, no_pulse
from dagy_runtime.values import ResultRef

INLINE_BYTES: Final = 32 * 1024
FLOW_RESULT: Final = "_flow"
"""Stands in for a task run's id in the key of the flow's own result; no task can be named so, their ids end in -<n>."""


def store_result(blobs: Blobs, *, run_id: str, task_run_id: str, attempt_id: str, encoded: Encoded) -> ResultRef:
    """Durable when this returns. A repeat stores the same again."""
    if encoded.size_bytes <= INLINE_BYTES:
        return ResultRef(encoded.codec, encoded.size_bytes, encoded.sha256, inline=encoded.data)
    key = _key(run_id, task_run_id, attempt_id)
    blobs.put(key, encoded.data)
    return ResultRef(encoded.codec, encoded.size_bytes, encoded.sha256, key=key)


def store_result_file(
    blobs: Blobs,
    *,
    run_id: str,
    task_run_id: str,
    attempt_id: str,
    path: Path,
    codec: str,
    sha256: str,
    pulse: Pulse = no_pulse,
) -> ResultRef:
    """As `store_result`, for a result too large to hold in memory twice. The file stays."""
    key = _key(run_id, task_run_id, attempt_id)
    blobs.put_file(key, path, pulse=pulse)
    return ResultRef(codec, path.stat().st_size, sha256, key=key)


def load_result(blobs: Blobs, ref: ResultRef) -> Encoded:
    """Raises: ArtifactSerializationError when what is stored is not what was; NotFound when it is gone."""
    data = ref.inline if ref.inline is not None else blobs.get(ref.key or "")
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise ArtifactSerializationError(f"The stored result {ref.key or 'in the item'} does not have its SHA-256")
    return Encoded(ref.codec, data, ref.sha256)


def _key(run_id: str, task_run_id: str, attempt_id: str) -> str:
    return f"runs/{run_id}/results/{task_run_id}/{attempt_id}"
