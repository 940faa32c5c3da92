"""Reading artifacts without trusting them: a sound zip, whose documents agree with each other and with its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

from dagy.artifact.archive import Archive, Kind, appearing, opened
from dagy.artifact.metadata import (
    MANIFEST_NAME,
    METADATA_NAME,
    OWN_NAMES,
    SPEC_NAME,
    FileEntry,
    Metadata,
    manifest_from_dict,
)
from dagy.artifact.packing import MAX_MEMBERS, MAX_UNPACKED_BYTES
from dagy.core.errors import ArtifactNotFound, DagyError
from dagy.core.spec import FlowSpec

_ARTIFACT: Final = Kind("artifact", "Build it again: dagy build <path>:<flow_fn>", MAX_MEMBERS, MAX_UNPACKED_BYTES)


@dataclass(frozen=True, slots=True)
class ArtifactContents:
    """A verified artifact. `sha256` is the hex digest of the zip itself."""

    spec: FlowSpec
    metadata: Metadata
    manifest: tuple[FileEntry, ...]
    sha256: str


def read_artifact(source: Path | str | bytes) -> ArtifactContents:
    """Verify an artifact as a whole: structure, names, sizes, every hash, spec and metadata.

    Raises: ArtifactNotFound; ArtifactInvalid naming the member.
    """
    data = source if isinstance(source, bytes) else _bytes_of(Path(source))
    spec, metadata, manifest = _verified(BytesIO(data), into=None)
    return ArtifactContents(spec, metadata, manifest, hashlib.sha256(data).hexdigest())


def extract_artifact(source: Path | bytes, into: Path) -> Metadata:
    """Verify an artifact and put its files into the folder `into`, which only this user may enter. One that lies on the
    disk is read from there, never into memory as a whole.

    `into` appears only when everything was right; after an error nothing of it is left behind.

    Raises: ArtifactInvalid naming the member; Conflict when `into` already holds something; OSError, as when there is
    no room.
    """
    with appearing(into) as staging, BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        _, metadata, _ = _verified(file, into=staging)
    return metadata


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ArtifactNotFound(str(path)) from None


def _verified(file: IO[bytes], *, into: Path | None) -> tuple[FlowSpec, Metadata, tuple[FileEntry, ...]]:
    with opened(file, _ARTIFACT) as archive:
        documents = {name: archive.json(name) for name in (MANIFEST_NAME, SPEC_NAME, METADATA_NAME)}
        manifest = manifest_from_dict(documents[MANIFEST_NAME])
        archive.check_listing(manifest, by=MANIFEST_NAME)
        for entry in manifest:
            archive.check_content(entry, by=MANIFEST_NAME, into=into)
        spec, metadata = _spec(archive, documents[SPEC_NAME]), Metadata.from_dict(documents[METADATA_NAME])
        _check_agreement(archive, spec, metadata)
    return spec, metadata, manifest


def _spec(archive: Archive, data: Any) -> FlowSpec:
    try:
        return FlowSpec.from_dict(data)
    except DagyError as error:
        archive.refuse(SPEC_NAME, str(error))
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        archive.refuse(SPEC_NAME, f"it is malformed ({error})")


def _check_agreement(archive: Archive, spec: FlowSpec, metadata: Metadata) -> None:
    if (spec.name, spec.version) != (metadata.flow_name, metadata.flow_version):
        found = f"{spec.name}:{spec.version}"
        archive.refuse(METADATA_NAME, f"it is of {metadata.flow_name}:{metadata.flow_version}, {SPEC_NAME} of {found}")
    if metadata.source not in archive.members or metadata.source in OWN_NAMES:
        archive.refuse(METADATA_NAME, f"its source '{metadata.source}' is not in the artifact")
    if not metadata.import_roots:
        archive.refuse(METADATA_NAME, "it has no import roots")
    for root in metadata.import_roots:
        if root != ".":
            archive.check_name(root)
