"""Getting a run's code onto the disk: exactly the bytes that were pinned, verified before anything looks into them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dagy.artifact import Metadata, extract_artifact
from dagy.core.errors import InvalidInput, NotFound
from dagy_runtime.ports import Blobs
from dagy_runtime.values import ArtifactRef, Problem


@dataclass(frozen=True, slots=True)
class Unusable:
    """The run cannot have its code, now or later."""

    problem: Problem


def unpack_artifact(blobs: Blobs, artifact: ArtifactRef, *, into: Path) -> Metadata | Unusable:
    """Fetch, verify, extract. Raises: Unavailable; a later try may succeed."""
    try:
        data = blobs.get(artifact.key, version_id=artifact.version_id)
    except NotFound:
        version = f" (version {artifact.version_id})" if artifact.version_id else ""
        return _unusable("ArtifactGone", f"The artifact {artifact.uri}{version} does not exist any more. Deploy again.")
    found = hashlib.sha256(data).hexdigest()
    if found != artifact.sha256:
        return _unusable(
            "ArtifactMismatch",
            f"The artifact {artifact.uri} has SHA-256 {found}, but the run was submitted with {artifact.sha256}; "
            "nothing of it was executed. Deploy again.",
        )
    try:
        return extract_artifact(data, into)
    except InvalidInput as error:
        return _unusable(type(error).__name__, f"The artifact {artifact.uri} cannot be used: {error}")


def _unusable(error_type: str, message: str) -> Unusable:
    return Unusable(Problem(error_type, message))
