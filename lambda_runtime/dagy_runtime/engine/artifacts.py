"""Getting a run's code onto the disk: exactly the bytes that were pinned, verified before anything looks into them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from dagy.artifact import Metadata, extract_artifact
from dagy.core.errors import InvalidInput, NotFound
from dagy_runtime.ports import Blobs, Pulse
from dagy_runtime.values import ArtifactRef, Problem

_AGAIN: Final = "dagy deploy … --force"


class Unusable(Struct, frozen=True):
    """The run cannot have its code, now or later."""

    problem: Problem


def unpack_artifact(
    blobs: Blobs, artifact: ArtifactRef, *, download: Path, into: Path, pulse: Pulse
) -> Metadata | Unusable:
    """Fetch, verify, extract; never is the whole of it in memory. `download` is a file's place for meanwhile.

    Raises: Unavailable; a later try may succeed.
    """
    try:
        found = blobs.get_file(artifact.key, download, version_id=artifact.version_id, pulse=pulse)
        return _unpack(artifact, found, download=download, into=into, pulse=pulse)
    except NotFound:
        version = f" (version {artifact.version_id})" if artifact.version_id else ""
        return _unusable(
            "ArtifactGone", f"The artifact {artifact.uri}{version} does not exist any more. Deploy again: {_AGAIN}"
        )
    except OSError as error:
        return _unusable(
            "NoRoom",
            f"The artifact {artifact.uri} ({artifact.size_bytes:,} bytes) cannot be unpacked on the function's disk: "
            f"{error.strerror or error}. Make it smaller: ship data another way, leave out what is not needed.",
        )
    finally:
        download.unlink(missing_ok=True)


def _unpack(artifact: ArtifactRef, found: str, *, download: Path, into: Path, pulse: Pulse) -> Metadata | Unusable:
    if found != artifact.sha256:
        return _unusable(
            "ArtifactMismatch",
            f"The artifact {artifact.uri} has SHA-256 {found}, but the run was submitted with {artifact.sha256}; "
            f"nothing of it was executed. Deploy again: {_AGAIN}",
        )
    pulse()
    try:
        return extract_artifact(download, into)
    except InvalidInput as error:
        return _unusable(type(error).__name__, f"The artifact {artifact.uri} cannot be used: {error}")


def _unusable(error_type: str, message: str) -> Unusable:
    return Unusable(Problem(error_type, message))
