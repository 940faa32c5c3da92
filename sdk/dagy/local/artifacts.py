"""Results of local runs as files: `artifacts/<run_id>/<task_run_id>/result.<suffix>`, and the flow's own beside
those directories.
"""

from __future__ import annotations

from pathlib import Path

from dagy.core.errors import ArtifactSerializationError
from dagy.local.history import StoredResult
from dagy.local.private import make_private_dir, write_private_file
from dagy.results import SUFFIXES, Encoded


def place_of(encoded: Encoded, run_id: str, task_run_id: str | None = None) -> StoredResult:
    """Where a result of a task, or the flow's own, belongs."""
    directory = f"artifacts/{run_id}/{task_run_id}" if task_run_id else f"artifacts/{run_id}"
    path = f"{directory}/result{SUFFIXES[encoded.codec]}"
    return StoredResult(encoded.codec, encoded.size_bytes, encoded.sha256, path)


def write(root: Path, path: str, data: bytes) -> None:
    """A repeat writes the same again. Raises: OSError."""
    absolute = f"{root}/{path}"  # cheaper than Path, for each task
    make_private_dir(absolute.rpartition("/")[0])
    write_private_file(absolute, data)


def load(root: Path, stored: StoredResult) -> Encoded:
    """Raises: ArtifactSerializationError when the file is gone. Whether it is intact, decoding finds out."""
    try:
        return Encoded(stored.codec, (root / stored.path).read_bytes(), stored.sha256)
    except OSError as error:
        raise ArtifactSerializationError(f"A stored result cannot be read: {root / stored.path}: {error}") from error
