"""What a dependency package says about itself, `dagy-package.json`: the platform, the distributions, every file.

Its text is canonical, so its hash stands for the contents, whatever zlib made of them. The hash that makes the slug
leaves out bytecode, which follows from the sources, but differs with the patch level of the Python that made it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

from dagy.artifact.metadata import FileEntry
from dagy.core.errors import ArtifactInvalid
from dagy.core.platforms import Platform
from dagy.core.slugs import slug_of

DOCUMENT_NAME: Final = "dagy-package.json"
_SCHEMA: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MODULE: Final = re.compile(r"([^\W\d]\w*)(\.py|\.[^/]*so|\.so)?")
_CODE: Final = (".py", ".so")


@dataclass(frozen=True, slots=True)
class PackageContents:
    """`distributions` are versions by name; `files` all but the document itself; `executables` those of them that are
    programs. `bytecode` is the tag of the Python that compiled the modules, such as `cpython-313`, if one did.
    """

    platform: Platform
    distributions: Mapping[str, str]
    files: tuple[FileEntry, ...]
    executables: tuple[str, ...] = ()
    bytecode: str | None = None

    @property
    def unpacked_bytes(self) -> int:
        return sum(entry.size for entry in self.files)

    @property
    def sources(self) -> PackageContents:
        """The same without the files that are bytecode. What it says of having it stays."""
        return replace(self, files=tuple(entry for entry in self.files if not self._is_bytecode(entry.path)))

    @property
    def sha256(self) -> str:
        """Of the contents, hex: the same for the same wheels, whichever Python of a version compiled them."""
        return hashlib.sha256(to_document(self.sources)).hexdigest()

    @property
    def slug(self) -> str:
        return slug_of(self.sha256)

    @property
    def modules(self) -> tuple[str, ...]:
        """The names that can be imported from it, without what is below them."""
        return tuple(sorted({top for entry in self.files if (top := _module(entry.path))}))

    def _is_bytecode(self, path: str) -> bool:
        found = PurePosixPath(path)
        return self.bytecode is not None and found.parent.name == "__pycache__" and found.name.endswith(".pyc")


def to_document(contents: PackageContents) -> bytes:
    document = {
        "schema": _SCHEMA,
        "platform": asdict(contents.platform),
        "distributions": dict(contents.distributions),
        "executables": sorted(contents.executables),
        "files": [[entry.path, entry.size, entry.sha256] for entry in sorted(contents.files, key=_path)],
        **({"bytecode": contents.bytecode} if contents.bytecode is not None else {}),
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def from_document(data: bytes) -> PackageContents:
    """Raises: ArtifactInvalid when it is none, or not written as `to_document` writes."""
    try:
        contents = _parsed(json.loads(data.decode()))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArtifactInvalid(f"{DOCUMENT_NAME}: it makes no sense ({error})") from None
    if to_document(contents) != data:
        raise ArtifactInvalid(f"{DOCUMENT_NAME}: it is not in canonical form")
    return contents


def _parsed(document: Any) -> PackageContents:
    if document["schema"] != _SCHEMA:
        raise ValueError(f"schema {document['schema']!r} is not {_SCHEMA}")
    platform = Platform(**_texts(document["platform"]))
    files = tuple(_entry(*item) for item in document["files"])
    executables = tuple(document["executables"])
    if not {entry.path for entry in files}.issuperset(executables):
        raise ValueError("a program is not among the files")
    bytecode = document.get("bytecode")
    if bytecode is not None and not isinstance(bytecode, str):
        raise TypeError("the tag of the bytecode is no text")
    return PackageContents(platform, _texts(document["distributions"]), files, executables, bytecode)


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise TypeError("texts are missing")
    return values


def _entry(path: Any, size: Any, sha256: Any) -> FileEntry:
    if not isinstance(path, str) or type(size) is not int or size < 0 or not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a file's path, size and sha256: {str(path)[:100]}")
    return FileEntry(path, size, sha256)


def _path(entry: FileEntry) -> str:
    return entry.path


def _module(path: str) -> str | None:
    """The top-level module that a file belongs to. Folders of data, of metadata and of libraries are none."""
    top, _, below = path.partition("/")
    if PurePosixPath(path).suffix not in _CODE:
        return None
    found = _MODULE.fullmatch(top)
    return found[1] if found and bool(below) != bool(found[2]) else None


def describe(distributions: Mapping[str, str]) -> str:
    """`numpy 2.3.5, pandas 3.0.1`"""
    return ", ".join(f"{name} {version}" for name, version in sorted_by_name(distributions.items()))


def sorted_by_name(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(items, key=lambda item: item[0].lower())
