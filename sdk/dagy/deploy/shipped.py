"""What an artifact holds, file by file, and what one holds that another does not.

It is read from the directory at the end of the zip; of an artifact in a bucket little more than that is fetched.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from dagy.artifact.metadata import METADATA_NAME, OWN_NAMES
from dagy.core.errors import ArtifactInvalid

MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Shipped:
    """`files` are checksums of the content by path, without Dagy's own files; `included` those that a glob added."""

    files: Mapping[str, int]
    included: tuple[str, ...] = ()


def read_shipped(file: IO[bytes]) -> Shipped:
    """Raises: ArtifactInvalid."""
    try:
        with zipfile.ZipFile(file) as archive:
            files = {entry.filename: entry.CRC for entry in archive.infolist() if entry.filename not in OWN_NAMES}
            metadata = json.loads(archive.read(METADATA_NAME))
        return Shipped(files, tuple(map(str, metadata.get("included") or ())))
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError) as error:
        raise ArtifactInvalid(f"The deployed file is no artifact: {error}") from error


def file_changes(old: Shipped, new: Shipped) -> list[str]:
    """`+2 files (a.py, b.csv)`, `-1 file (c.csv)`, `~1 file (flow.py)`."""
    kinds = {
        "+": sorted(new.files.keys() - old.files.keys()),
        "-": sorted(old.files.keys() - new.files.keys()),
        "~": sorted(path for path in old.files.keys() & new.files.keys() if old.files[path] != new.files[path]),
    }
    return [
        f"{sign}{len(paths)} file{'s' * (len(paths) > 1)} ({named(paths)})" for sign, paths in kinds.items() if paths
    ]


def dropped(old: Shipped, new: Shipped) -> tuple[str, ...]:
    """Files that an author had added by glob, and that would be there no more. The flow's code may still read them:
    nothing imports data, so nothing notices. A module that is gone is no loss, no code imports it any more.
    """
    return tuple(path for path in old.included if path not in new.files)


def named(paths: Sequence[str]) -> str:
    """At most five of them."""
    more = f", … {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(paths[:MOST_NAMED]) + more
