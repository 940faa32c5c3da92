"""Reading dependency packages without trusting them."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from dagy.artifact.archive import Archive, Kind, appearing, opened
from dagy.core.offer import MAX_PACKAGES_UNPACKED_BYTES
from dagy.packages.contents import DOCUMENT_NAME, PackageContents, from_document

MAX_MEMBERS: Final = 100_000
_PACKAGE: Final = Kind(
    "package", "Create it again: dagy packages create requirements.txt", MAX_MEMBERS, MAX_PACKAGES_UNPACKED_BYTES
)
_READ_ONLY, _RUNNABLE = 0o400, 0o500


def read_contents(file: IO[bytes]) -> PackageContents:
    """What the package says about itself, once the zip's directory agrees with it; no member but the document is read.

    Raises: ArtifactInvalid naming the member.
    """
    with opened(file, _PACKAGE) as archive:
        return _contents(archive)


def extract_package(source: Path, into: Path, *, pulse: Callable[[], object]) -> PackageContents:
    """Verify a package and put its files into the folder `into`, read-only. `pulse` is called for each file.

    `into` appears only when everything was right; after an error nothing of it is left behind.

    Raises: ArtifactInvalid naming the member; Conflict when `into` already holds something; OSError, as when there is
    no room.
    """
    with appearing(into) as staging, source.open("rb") as file, opened(file, _PACKAGE) as archive:
        contents = _contents(archive)
        programs = set(contents.executables)
        for entry in contents.files:
            mode = _RUNNABLE if entry.path in programs else _READ_ONLY
            archive.check_content(entry, by=DOCUMENT_NAME, into=staging, mode=mode)
            pulse()
    for folder in [into, *(path for path in into.rglob("*") if path.is_dir())]:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return contents


def _contents(archive: Archive) -> PackageContents:
    contents = from_document(archive.document(DOCUMENT_NAME))
    archive.check_listing(contents.files, by=DOCUMENT_NAME)
    for entry in contents.files:
        size = archive.members[entry.path].file_size
        if size != entry.size:
            archive.refuse(entry.path, f"it has {size} bytes, {DOCUMENT_NAME} says {entry.size}")
    return contents
