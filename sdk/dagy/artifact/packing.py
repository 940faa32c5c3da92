"""The bytes of an artifact: the same for the same files, whenever and wherever they are packed."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

from dagy.artifact.metadata import MANIFEST_NAME, METADATA_NAME, OWN_NAMES, SPEC_NAME, FileEntry, manifest_to_dict
from dagy.core.errors import InvalidFlow
from dagy.core.offer import MAX_ARTIFACT_BYTES

MAX_MEMBERS: Final = 10_000
MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
MAX_RATIO: Final = 200
RATIO_MATTERS_ABOVE_BYTES: Final = 1024 * 1024

_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can tell
_PERMISSIONS: Final = (stat.S_IFREG | 0o644) << 16
_LEVEL: Final = 6
_UNIX: Final = 3


def pack(
    files: Mapping[str, bytes],
    *,
    spec: Mapping[str, Any],
    metadata: Mapping[str, Any],
    max_bytes: int = MAX_ARTIFACT_BYTES,
) -> bytes:
    """A zip of `files` by their paths inside it, with the spec, the metadata and a manifest of all of them.

    Raises: InvalidFlow when a path is one of Dagy's own, two differ only by case, or it all is too large, packed or
    unpacked.
    """
    _check(files)
    members = {**files, SPEC_NAME: _json(spec), METADATA_NAME: _json(metadata)}
    entries = [FileEntry(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in sorted(members.items())]
    members[MANIFEST_NAME] = _json(manifest_to_dict(entries))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in sorted(members.items()):
            member = zipfile.ZipInfo(path, _MOMENT)
            member.create_system, member.external_attr = _UNIX, _PERMISSIONS
            archive.writestr(member, data, _compression(data), _LEVEL)
    packed_bytes = buffer.tell()
    if packed_bytes > max_bytes:
        raise InvalidFlow(
            f"The artifact would be a zip of {packed_bytes:,} bytes",
            f"At most {max_bytes:,}: read large data from S3 instead.",
        )
    return buffer.getvalue()


def folded(path: str) -> str:
    """What file systems that ignore case and accent forms see of a path."""
    return unicodedata.normalize("NFC", path).casefold()


def _check(files: Mapping[str, bytes]) -> None:
    seen: dict[str, str] = {folded(name): name for name in OWN_NAMES}
    for path in files:
        other = seen.setdefault(folded(path), path)
        if other in OWN_NAMES:
            raise InvalidFlow(f"The file name '{path}' is one Dagy needs in the artifact", "Rename the file.")
        if other != path:
            raise InvalidFlow(f"The file names '{other}' and '{path}' differ only by case", "Rename one of them.")
    size_bytes = sum(map(len, files.values()))
    if len(files) + len(OWN_NAMES) > MAX_MEMBERS or size_bytes > MAX_UNPACKED_BYTES:
        raise InvalidFlow(
            f"The artifact would hold {len(files)} files of {size_bytes / 2**20:.0f} MiB",
            f"At most {MAX_MEMBERS} files and {MAX_UNPACKED_BYTES // 2**20} MiB: read large data from S3 instead.",
        )


def _compression(data: bytes) -> int:
    """Deflate, unless that makes so little of so much that a reader would take it for a bomb."""
    if len(data) > RATIO_MATTERS_ABOVE_BYTES and len(data) > MAX_RATIO * len(zlib.compress(data, _LEVEL)) * 0.9:
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
