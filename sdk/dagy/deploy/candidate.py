"""The flow at hand: an artifact that was checked, with what a deploy needs to know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagy.artifact import build_artifact, load_target, read_artifact
from dagy.artifact.dependencies import Absent, absent_of
from dagy.core.errors import ArtifactNotFound
from dagy.core.spec import FlowSpec

if TYPE_CHECKING:
    from dagy.artifact import LocalArtifact
    from dagy.authoring.flows import Flow


@dataclass(frozen=True, slots=True)
class Candidate:
    """`sha256` is the hex digest of the zip. `is_version_pinned`: the author chose the version, so a deploy cannot."""

    path: Path
    spec: FlowSpec
    code_hash: str
    sha256: str
    size_bytes: int
    namespace: str = ""
    is_version_pinned: bool = False
    absent: tuple[Absent, ...] = ()  # what it imports that neither it nor the runtimes have


def from_zip(path: Path) -> Candidate:
    """Check an artifact that was built before.

    Raises: ArtifactNotFound; ArtifactInvalid when it is damaged, hostile or not one of ours.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise ArtifactNotFound(str(path.absolute())) from None
    contents = read_artifact(data)
    return Candidate(
        path=path,
        spec=contents.spec,
        code_hash=contents.metadata.code_hash,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        namespace=contents.metadata.namespace,
        is_version_pinned=contents.metadata.is_version_pinned,
        absent=absent_of(contents.metadata.dependencies),
    )


def from_artifact(artifact: LocalArtifact) -> Candidate:
    return Candidate(
        path=artifact.path,
        spec=artifact.spec,
        code_hash=artifact.code_hash,
        sha256=artifact.sha256,
        size_bytes=artifact.path.stat().st_size,
        namespace=artifact.metadata.namespace,
        is_version_pinned=artifact.metadata.is_version_pinned,
        absent=artifact.absent,
    )


def from_flow(
    flow: Flow[..., Any],
    *,
    version: str | None = None,
    include: Sequence[str] = (),
    flow_kwargs: Mapping[str, Any] | None = None,
    output_dir: Path | None = None,
) -> Candidate:
    """Build the flow's artifact. Raises what `build_artifact` raises."""
    artifact = build_artifact(
        flow, output_dir=output_dir, include=include, version=version, flow_kwargs=dict(flow_kwargs or {})
    )
    return from_artifact(artifact)


def load(target: str) -> Path | Flow[..., Any]:
    """What `dagy deploy` was pointed at: an artifact's path, or a flow loaded from `<path>:<flow_fn>` or `<path>`."""
    if target.endswith(".zip"):
        return Path(target)
    return load_target(target)
