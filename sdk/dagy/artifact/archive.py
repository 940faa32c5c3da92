"""Reading zips without trusting them: every claim one makes is checked against its bytes before use.

Artifacts and dependency packages are such zips: each holds a document that lists its files with sizes and SHA-256.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, NoReturn

from dagy.artifact.metadata import FileEntry
from dagy.artifact.packing import MAX_RATIO, RATIO_MATTERS_ABOVE_BYTES, folded
from dagy.core.errors import ArtifactInvalid, Conflict, DagyError

_MAX_JSON_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_HEADER_BYTES: Final = 30  # of a member's local header, without its name
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\:]")

Sink = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What zips of one kind are called in errors, what to do about a bad one, and how much one may hold."""

    noun: str
    repair: str
    max_members: int
    max_unpacked_bytes: int


class Archive:
    """An open zip whose directory was found sound: names, kinds of members, extents, sizes within the limits."""

    def __init__(self, archive: zipfile.ZipFile, kind: Kind) -> None:
        """Raises: ArtifactInvalid naming the member."""
        self._archive, self._kind = archive, kind
        self.members: Final = self._checked_members()

    def document(self, name: str) -> bytes:
        """The whole member. Raises: ArtifactInvalid when it is missing, or larger than any document of ours."""
        if name not in self.members:
            self.refuse(name, "it is missing")
        chunks: list[bytes] = []
        self._stream(self.members[name], chunks.append, limit_bytes=_MAX_JSON_BYTES)
        return b"".join(chunks)

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.document(name).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            self.refuse(name, f"it is not JSON ({error})")

    def check_listing(self, files: Sequence[FileEntry], *, by: str) -> None:
        """That the document `by` lists all other members and nothing else."""
        listed = {entry.path for entry in files}
        for name in self.members:
            if name != by and name not in listed:
                self.refuse(name, f"{by} does not list it")
        for entry in files:
            if entry.path not in self.members:
                self.refuse(entry.path, f"{by} lists it, but it is missing")

    def check_content(self, entry: FileEntry, *, by: str, into: Path | None, mode: int = 0o600) -> None:
        """That the member is what the document `by` lists. With `into`, it is written there."""
        digest = hashlib.sha256()
        info = self.members[entry.path]
        if into is None:
            size = self._stream(info, digest.update, limit_bytes=entry.size)
        else:
            with _new_file(into / entry.path, mode) as file:

                def sink(chunk: bytes) -> None:
                    digest.update(chunk)
                    file.write(chunk)

                size = self._stream(info, sink, limit_bytes=entry.size)
        if size != entry.size:
            self.refuse(entry.path, f"it has {size} bytes, {by} says {entry.size}")
        if digest.hexdigest() != entry.sha256:
            self.refuse(entry.path, f"its content is not the one {by} lists (SHA-256 differs)")

    def check_name(self, name: str) -> None:
        if not name or len(name.encode("utf-8", "replace")) > 1024 or _FORBIDDEN.search(name):
            self.refuse(name, "its name holds forbidden characters, is empty or too long")
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts):
            self.refuse(name, "its name is absolute, ends in '/', or leads through '.', '..' or nothing")
        if any(len(part.encode("utf-8", "replace")) > 255 for part in parts):
            self.refuse(name, "part of its name is too long")

    def refuse(self, member: str, why: str) -> NoReturn:
        raise ArtifactInvalid(f"{self._kind.noun.capitalize()} member {member!r}: {why}", self._kind.repair)

    def _checked_members(self) -> dict[str, zipfile.ZipInfo]:
        infos, kind = self._archive.infolist(), self._kind
        if len(infos) > kind.max_members:
            raise ArtifactInvalid(f"The {kind.noun} holds {len(infos)} members, more than {kind.max_members}")
        declared_bytes = sum(info.file_size for info in infos)
        if declared_bytes > kind.max_unpacked_bytes:
            raise ArtifactInvalid(
                f"The {kind.noun} unpacks to {declared_bytes} bytes, more than {kind.max_unpacked_bytes}"
            )
        for info in infos:
            self.check_name(info.orig_filename)
            self._check_kind(info)
        self._check_collisions([info.orig_filename for info in infos])
        self._check_extents(infos)
        return {info.filename: info for info in infos}

    def _check_kind(self, info: zipfile.ZipInfo) -> None:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.is_dir() or info.external_attr & 0x10:
            self.refuse(info.filename, "it is a link, a folder or a special file")
        if info.flag_bits & _ENCRYPTED:
            self.refuse(info.filename, "it is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            self.refuse(info.filename, f"it is packed by method {info.compress_type}")
        if info.file_size > RATIO_MATTERS_ABOVE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
            self.refuse(info.filename, f"it unpacks to more than {MAX_RATIO} times its size")

    def _check_collisions(self, names: list[str]) -> None:
        seen: dict[str, str] = {}
        for name in names:
            if folded(name) in seen:
                self.refuse(name, f"its name is taken by '{seen[folded(name)]}'")
            seen[folded(name)] = name
        for name in names:
            for parent in PurePosixPath(folded(name)).parents:
                if str(parent) in seen:
                    self.refuse(name, f"'{seen[str(parent)]}' is a file, not a folder")

    def _check_extents(self, infos: list[zipfile.ZipInfo]) -> None:
        """Members that share bytes multiply small files into huge ones; bytes before the first are not a zip's."""
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end or (end == 0 and info.header_offset != 0):
                self.refuse(info.filename, "its bytes overlap another member's, or do not start where a zip does")
            end = info.header_offset + _HEADER_BYTES + len(info.orig_filename) + info.compress_size
        if end > self._archive.start_dir:
            raise ArtifactInvalid(
                f"Not a readable {self._kind.noun}: members reach into the directory of the zip", self._kind.repair
            )

    def _stream(self, info: zipfile.ZipInfo, sink: Sink, *, limit_bytes: int) -> int:
        """Unpack a member, counting what really comes out; the count. Raises: ArtifactInvalid above the limit."""
        count = 0
        with self._archive.open(info) as member:
            for chunk in self._chunks(member, info.filename):
                count += len(chunk)
                if count > limit_bytes:
                    self.refuse(info.filename, f"it unpacks to more than the {limit_bytes} bytes allowed")
                sink(chunk)
        return count

    def _chunks(self, member: IO[bytes], name: str) -> Iterator[bytes]:
        try:
            while chunk := member.read(_CHUNK_BYTES):
                yield chunk
        except (zlib.error, EOFError) as error:
            self.refuse(name, f"its stream is broken ({error})")


@contextmanager
def opened(file: IO[bytes], kind: Kind) -> Iterator[Archive]:
    """Whatever `zipfile` stumbles over in a damaged or forged archive is one error here: ArtifactInvalid."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield Archive(archive, kind)
    except DagyError:
        raise
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        ValueError,
        OverflowError,
    ) as error:
        raise ArtifactInvalid(f"Not a readable {kind.noun}: {error}", kind.repair) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        why = f"it points outside itself ({error})"
        raise ArtifactInvalid(f"Not a readable {kind.noun}: {why}", kind.repair) from error


@contextmanager
def appearing(into: Path) -> Iterator[Path]:
    """A folder to fill, which only this user may enter. It becomes `into` when the block is left without an error; else
    nothing of it is left behind.

    Raises: Conflict when `into` already holds something.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))  # 0700
    try:
        yield staging
        try:
            staging.rename(into)
        except OSError:
            raise Conflict(f"Cannot extract into {into}: it exists and is not an empty folder") from None
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _new_file(path: Path, mode: int) -> IO[bytes]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb")
