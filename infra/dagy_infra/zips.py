"""Writes a folder as a zip that is the same, byte for byte, whenever and wherever its contents are the same."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_MODE: Final = 0o100644


@dataclass(frozen=True, slots=True)
class ZipInfo:
    """What a zip of ours says about itself, in its archive comment."""

    key: str
    """Hash of what it was built from."""
    contents_sha256: str
    """Hash of the names and bytes in it. Compression differs between zlib versions, this does not."""


def write_zip(path: Path, files: Mapping[str, Path | bytes], *, key: str) -> ZipInfo:
    """Write `files` (name in the zip → its source) to `path`, in one step: readers see the old zip or the new one."""
    contents = hashlib.sha256()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                source = files[name]
                data = source if isinstance(source, bytes) else source.read_bytes()
                contents.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.external_attr = _MODE << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, data, compresslevel=9)
            info = ZipInfo(key, contents.hexdigest())
            comment = {"key": info.key, "contents_sha256": info.contents_sha256}
            archive.comment = json.dumps(comment, sort_keys=True).encode()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return info


def read_zip_info(path: Path) -> ZipInfo | None:
    """None when there is no zip, or none of ours."""
    try:
        with zipfile.ZipFile(path) as archive:
            comment = json.loads(archive.comment)
        return ZipInfo(comment["key"], comment["contents_sha256"])
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None
