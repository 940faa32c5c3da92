"""Artifacts: a flow and what it imports as one zip, made byte for byte the same from the same input, read without
trusting it, and loaded again.

Making: `build` checks the flow (`buildable`), asks `collecting` (which asks `project` and `importing`) for the files,
`dependencies` for what is not shipped, and `packing` for the bytes. Reading: `unpacking`. Loading code, from a path or
from an extracted artifact: `loading`. `metadata` is what stands in the zip beside the code.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dagy.artifact.loading import load_extracted, load_target
from dagy.artifact.metadata import FileEntry, Metadata
from dagy.artifact.unpacking import ArtifactContents, extract_artifact, read_artifact

if TYPE_CHECKING:
    from dagy.artifact.build import LocalArtifact, build_artifact

__all__ = [
    "ArtifactContents",
    "FileEntry",
    "LocalArtifact",
    "Metadata",
    "build_artifact",
    "extract_artifact",
    "load_extracted",
    "load_target",
    "read_artifact",
]


def __getattr__(name: str) -> Any:
    """The building half is loaded when asked for: the functions on AWS only read, and start faster without it."""
    if name in ("LocalArtifact", "build_artifact"):
        return getattr(importlib.import_module("dagy.artifact.build"), name)
    raise AttributeError(f"module 'dagy.artifact' has no attribute '{name}'")
