"""The flow at hand: an artifact that was checked, with what a deploy needs to know of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagy.artifact import build_artifact, load_target, read_artifact
from dagy.core.errors import NotFound
from dagy.core.spec import FlowSpec

if TYPE_CHECKING:
    from dagy.artifact import LocalArtifact
    from dagy.authoring import Flow


@dataclass(frozen=True, slots=True)
class Candidate:
    """`sha256` is the hex digest of the zip. `namespace` None: only the zip is known, not where its source stood."""

    path: Path
    spec: FlowSpec
    code_hash: str
    sha256: str
    size_bytes: int
    namespace: str | None = None
    warnings: tuple[str, ...] = ()


def from_zip(path: Path) -> Candidate:
    """Check an artifact that was built before.

    Raises: NotFound; ArtifactInvalid when it is damaged, hostile or not one of ours.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound("artifact", str(path.absolute())) from None
    contents = read_artifact(data)
    return Candidate(
        path=path,
        spec=contents.spec,
        code_hash=contents.metadata.code_hash,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def from_artifact(artifact: LocalArtifact, *, namespace: str | None = None) -> Candidate:
    return Candidate(
        path=artifact.path,
        spec=artifact.spec,
        code_hash=artifact.code_hash,
        sha256=artifact.sha256,
        size_bytes=artifact.path.stat().st_size,
        namespace=namespace,
        warnings=tuple(artifact.warnings),
    )


def from_flow(
    flow: Flow,
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
    source = getattr(flow.fn, "__code__", None)
    namespace = derived_namespace(Path(source.co_filename), Path.cwd()) if source else None
    return from_artifact(artifact, namespace=namespace)


def load(target: str) -> Path | Flow:
    """What `dagy deploy` was pointed at: an artifact's path, or a flow loaded from `<path>:<flow_fn>` or `<path>`."""
    if target.endswith(".zip"):
        return Path(target)
    return load_target(target)


def derived_namespace(source: Path, cwd: Path) -> str:
    """The folder of the source file relative to `cwd`; of one that is not below it, relative to its git root; else
    nothing. What cannot stand in a namespace becomes '-'.
    """
    folder, here = source.resolve().parent, cwd.resolve()
    if folder.is_relative_to(here):
        relative = folder.relative_to(here)
    else:
        root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
        relative = folder.relative_to(root) if root else Path()
    return "/".join(re.sub(r"[^A-Za-z0-9_.\-]", "-", part) for part in relative.parts)
