"""What an artifact holds, file by file, and what one holds that another does not.

It is read from the directory at the end of the zip; of an artifact in a bucket little more than that is fetched.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from dagy.artifact.metadata import METADATA_NAME, OWN_NAMES
from dagy.core.errors import ArtifactInvalid

PIECE_BYTES: Final = 256 * 1024
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an object that begin at `start`. `size` is that of the whole object."""

    data: bytes
    start: int
    size: int


class RangedFile(io.RawIOBase):
    """An object that is read as a file: its end is fetched at once, the rest when it is asked for. `fetch` takes what
    the HTTP header `Range` takes.
    """

    def __init__(self, fetch: Callable[[str], Piece]) -> None:
        super().__init__()
        self._fetch = fetch
        self._piece = fetch(f"bytes=-{PIECE_BYTES}")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._piece.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        end = min(self._at + len(buffer), self._piece.size)
        if self._at >= end:
            return 0
        piece = self._piece
        if not piece.start <= self._at < end <= piece.start + len(piece.data):
            last = min(max(end, self._at + PIECE_BYTES), piece.size) - 1
            piece = self._piece = self._fetch(f"bytes={self._at}-{last}")
        data = piece.data[self._at - piece.start : end - piece.start]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
