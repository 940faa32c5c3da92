"""Artifacts: a flow and what it imports as one zip, made byte for byte the same from the same input, read without
trusting it, and loaded again.

Making: `build` asks `collecting` (which asks `project` and `importing`) for the files, `dependencies` for what is not
shipped, and `packing` for the bytes. Reading: `unpacking`. Loading code, from a path or from an extracted artifact:
`loading`. `metadata` is what stands in the zip beside the code.
"""

from dagy.artifact.build import LocalArtifact, build_artifact
from dagy.artifact.loading import load_extracted, load_target
from dagy.artifact.metadata import FileEntry, Metadata
from dagy.artifact.namespace import derived_namespace
from dagy.artifact.unpacking import ArtifactContents, extract_artifact, read_artifact

__all__ = [
    "ArtifactContents",
    "FileEntry",
    "LocalArtifact",
    "Metadata",
    "build_artifact",
    "derived_namespace",
    "extract_artifact",
    "load_extracted",
    "load_target",
    "read_artifact",
]
