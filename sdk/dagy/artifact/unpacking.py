"""Reading artifacts without trusting them: every claim a zip makes is checked against its bytes before use."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, NoReturn

from dagy.artifact.metadata import (
    MANIFEST_NAME,
    METADATA_NAME,
    OWN_NAMES,
    SPEC_NAME,
    FileEntry,
    Metadata,
    manifest_from_dict,
)
from dagy.artifact.packing import MAX_MEMBERS, MAX_RATIO, MAX_UNPACKED_BYTES, RATIO_MATTERS_ABOVE_BYTES, folded
from dagy.core.errors import ArtifactInvalid, ArtifactNotFound, Conflict, DagyError
from dagy.core.spec import FlowSpec

_MAX_JSON_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_HEADER_BYTES: Final = 30  # of a member's local header, without its name
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\:]")
_REPAIR: Final = "Build it again: dagy build <path>:<flow_fn>"

Sink = Callable[[bytes], Any]


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
    into.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))  # 0700
    try:
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            _, metadata, _ = _verified(file, into=staging)
        try:
            staging.rename(into)
        except OSError:
            raise Conflict(f"Cannot extract into {into}: it exists and is not an empty folder") from None
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return metadata


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ArtifactNotFound(str(path)) from None


def _verified(file: IO[bytes], *, into: Path | None) -> tuple[FlowSpec, Metadata, tuple[FileEntry, ...]]:
    with _opened(file) as archive:
        members = _checked_members(archive)
        documents = {name: _document(archive, members, name) for name in (MANIFEST_NAME, SPEC_NAME, METADATA_NAME)}
        manifest = manifest_from_dict(documents[MANIFEST_NAME])
        _check_listing(members, manifest)
        for entry in manifest:
            _check_content(archive, members[entry.path], entry, into)
    spec, metadata = _spec(documents[SPEC_NAME]), Metadata.from_dict(documents[METADATA_NAME])
    _check_agreement(spec, metadata, members)
    return spec, metadata, manifest


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Whatever `zipfile` stumbles over in a damaged or forged archive is one error here."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
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
        raise ArtifactInvalid(f"Not a readable artifact: {error}", _REPAIR) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ArtifactInvalid(f"Not a readable artifact: it points outside itself ({error})", _REPAIR) from error


def _checked_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ArtifactInvalid(f"The artifact holds {len(infos)} members, more than {MAX_MEMBERS}")
    declared_bytes = sum(info.file_size for info in infos)
    if declared_bytes > MAX_UNPACKED_BYTES:
        raise ArtifactInvalid(f"The artifact unpacks to {declared_bytes} bytes, more than {MAX_UNPACKED_BYTES}")
    for info in infos:
        _check_name(info.orig_filename)
        _check_kind(info)
    _check_collisions([info.orig_filename for info in infos])
    _check_extents(archive, infos)
    return {info.filename: info for info in infos}


def _check_name(name: str) -> None:
    if not name or len(name.encode("utf-8", "replace")) > 1024 or _FORBIDDEN.search(name):
        _refuse(name, "its name holds forbidden characters, is empty or too long")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        _refuse(name, "its name is absolute, ends in '/', or leads through '.', '..' or nothing")
    if any(len(part.encode("utf-8", "replace")) > 255 for part in parts):
        _refuse(name, "part of its name is too long")


def _check_kind(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.is_dir() or info.external_attr & 0x10:
        _refuse(info.filename, "it is a link, a folder or a special file")
    if info.flag_bits & _ENCRYPTED:
        _refuse(info.filename, "it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(info.filename, f"it is packed by method {info.compress_type}")
    if info.file_size > RATIO_MATTERS_ABOVE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
        _refuse(info.filename, f"it unpacks to more than {MAX_RATIO} times its size")


def _check_collisions(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if folded(name) in seen:
            _refuse(name, f"its name is taken by '{seen[folded(name)]}'")
        seen[folded(name)] = name
    for name in names:
        for parent in PurePosixPath(folded(name)).parents:
            if str(parent) in seen:
                _refuse(name, f"'{seen[str(parent)]}' is a file, not a folder")


def _check_extents(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> None:
    """Members that share bytes multiply small files into huge ones; bytes before the first are not a zip's."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end or (end == 0 and info.header_offset != 0):
            _refuse(info.filename, "its bytes overlap another member's, or do not start where a zip does")
        end = info.header_offset + _HEADER_BYTES + len(info.orig_filename) + info.compress_size
    if end > archive.start_dir:
        _refuse(MANIFEST_NAME, "members reach into the directory of the zip")


def _document(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> Any:
    if name not in members:
        _refuse(name, "it is missing")
    chunks: list[bytes] = []
    _stream(archive, members[name], chunks.append, limit_bytes=_MAX_JSON_BYTES)
    try:
        return json.loads(b"".join(chunks).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _refuse(name, f"it is not JSON ({error})")


def _check_listing(members: dict[str, zipfile.ZipInfo], manifest: tuple[FileEntry, ...]) -> None:
    listed = {entry.path for entry in manifest}
    for name in members:
        if name != MANIFEST_NAME and name not in listed:
            _refuse(name, f"{MANIFEST_NAME} does not list it")
    for entry in manifest:
        if entry.path not in members:
            _refuse(entry.path, f"{MANIFEST_NAME} lists it, but it is missing")


def _check_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: FileEntry, into: Path | None) -> None:
    digest = hashlib.sha256()
    if into is None:
        size = _stream(archive, info, digest.update, limit_bytes=entry.size)
    else:
        with _new_file(into / entry.path) as file:

            def sink(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            size = _stream(archive, info, sink, limit_bytes=entry.size)
    if size != entry.size:
        _refuse(entry.path, f"it has {size} bytes, {MANIFEST_NAME} says {entry.size}")
    if digest.hexdigest() != entry.sha256:
        _refuse(entry.path, f"its content is not the one {MANIFEST_NAME} lists (SHA-256 differs)")


def _stream(archive: zipfile.ZipFile, info: zipfile.ZipInfo, sink: Sink, *, limit_bytes: int) -> int:
    """Unpack a member, counting what really comes out. Returns the count. Raises: ArtifactInvalid above the limit."""
    count = 0
    with archive.open(info) as member:
        for chunk in _chunks(member, info.filename):
            count += len(chunk)
            if count > limit_bytes:
                _refuse(info.filename, f"it unpacks to more than the {limit_bytes} bytes allowed")
            sink(chunk)
    return count


def _chunks(member: IO[bytes], name: str) -> Iterator[bytes]:
    try:
        while chunk := member.read(_CHUNK_BYTES):
            yield chunk
    except (zlib.error, EOFError) as error:
        _refuse(name, f"its stream is broken ({error})")


def _new_file(path: Path) -> IO[bytes]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _spec(data: Any) -> FlowSpec:
    try:
        return FlowSpec.from_dict(data)
    except DagyError as error:
        _refuse(SPEC_NAME, str(error))
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        _refuse(SPEC_NAME, f"it is malformed ({error})")


def _check_agreement(spec: FlowSpec, metadata: Metadata, members: dict[str, zipfile.ZipInfo]) -> None:
    if (spec.name, spec.version) != (metadata.flow_name, metadata.flow_version):
        found = f"{spec.name}:{spec.version}"
        _refuse(METADATA_NAME, f"it is of {metadata.flow_name}:{metadata.flow_version}, {SPEC_NAME} of {found}")
    if metadata.source not in members or metadata.source in OWN_NAMES:
        _refuse(METADATA_NAME, f"its source '{metadata.source}' is not in the artifact")
    if not metadata.import_roots:
        _refuse(METADATA_NAME, "it has no import roots")
    for root in metadata.import_roots:
        if root != ".":
            _check_name(root)


def _refuse(member: str, why: str) -> NoReturn:
    raise ArtifactInvalid(f"Artifact member {member!r}: {why}", _REPAIR)
