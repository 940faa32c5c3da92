"""What an artifact says about itself: `metadata.json`, and the list of its files, `manifest.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from dagy.core.errors import ArtifactInvalid

SPEC_NAME: Final = "flow_spec.json"
METADATA_NAME: Final = "metadata.json"
MANIFEST_NAME: Final = "manifest.json"
OWN_NAMES: Final = frozenset({SPEC_NAME, METADATA_NAME, MANIFEST_NAME})

_ENTRYPOINT: Final = re.compile(r"[^\s:/\\]+:[^\W\d]\w*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Metadata:
    """`entrypoint` is `module:function`; `source` the flow's file inside the zip; `import_roots` the folders inside
    the zip (`.` is its top) that its modules are imported from, first come first served. `is_version_pinned`: the
    author chose the version. `dependencies` are the installed distributions its code imports, with versions;
    `included` the files inside the zip that the author added by glob, in order: no import tells of them.
    `task_codes` has a digest of what each task does, by its name; empty for one whose code cannot be told.
    `built_at` is a fixed time, so that equal input gives equal bytes; `build.json` beside the zip tells the real one.
    """

    flow_name: str
    flow_version: str
    is_version_pinned: bool
    entrypoint: str
    source: str
    import_roots: tuple[str, ...]
    built_at: str
    python_version: str
    dagy_version: str
    code_hash: str
    namespace: str
    dependencies: Mapping[str, str] = field(default_factory=dict)
    included: tuple[str, ...] = ()
    task_codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.entrypoint.partition(":")[0]

    @property
    def function(self) -> str:
        return self.entrypoint.partition(":")[2]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "import_roots": list(self.import_roots), "included": list(self.included)}

    @classmethod
    def from_dict(cls, data: Any) -> Metadata:
        """Raises: ArtifactInvalid naming the field. Unknown fields are ignored: a newer Dagy may have written them."""
        texts = {name: _field(data, name, str) for name in _TEXTS}
        roots, dependencies = _field(data, "import_roots", list), _field(data, "dependencies", dict)
        _expect(all(isinstance(root, str) for root in roots), "'import_roots' must be texts")
        _expect(all(isinstance(version, str) for version in dependencies.values()), "'dependencies' must be texts")
        _expect(bool(_ENTRYPOINT.fullmatch(texts["entrypoint"])), "'entrypoint' must be module:function")
        included = data.get("included", [])  # artifacts of before do not say
        _expect(type(included) is list and all(isinstance(path, str) for path in included), "'included' must be texts")
        codes = data.get("task_codes", {})
        _expect(
            type(codes) is dict and all(isinstance(code, str) for code in codes.values()), "'task_codes' must be texts"
        )
        return cls(
            **texts,
            is_version_pinned=_field(data, "is_version_pinned", bool),
            import_roots=tuple(roots),
            dependencies=dependencies,
            included=tuple(included),
            task_codes=codes,
        )


_TEXTS: Final = (
    "flow_name",
    "flow_version",
    "entrypoint",
    "source",
    "built_at",
    "python_version",
    "dagy_version",
    "code_hash",
    "namespace",
)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One member of an artifact. `sha256` is the hex digest of its content."""

    path: str
    size: int
    sha256: str


def manifest_to_dict(entries: Iterable[FileEntry]) -> dict[str, Any]:
    return {"files": [asdict(entry) for entry in entries]}


def manifest_from_dict(data: Any) -> tuple[FileEntry, ...]:
    """Raises: ArtifactInvalid when it is no manifest, or names a file twice, or itself."""
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        raise ArtifactInvalid(f"{MANIFEST_NAME}: 'files' must be a list")
    entries = tuple(_entry(item) for item in data["files"])
    paths = [entry.path for entry in entries]
    if len(set(paths)) != len(paths) or MANIFEST_NAME in paths:
        raise ArtifactInvalid(f"{MANIFEST_NAME}: a file is listed twice, or is the manifest itself")
    return entries


def _entry(item: Any) -> FileEntry:
    if isinstance(item, dict):
        path, size, sha256 = item.get("path"), item.get("size"), item.get("sha256")
        is_text = isinstance(path, str) and isinstance(sha256, str)
        if is_text and type(size) is int and size >= 0 and _SHA256.fullmatch(str(sha256)):
            return FileEntry(str(path), size, str(sha256))
    raise ArtifactInvalid(f"{MANIFEST_NAME}: not an entry with path, size and sha256: {str(item)[:100]}")


def _field(data: Any, name: str, kind: type) -> Any:
    _expect(isinstance(data, dict), "it must be a JSON object")
    _expect(name in data, f"'{name}' is missing")
    _expect(type(data[name]) is kind, f"'{name}' must be a {kind.__name__}")
    return data[name]


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ArtifactInvalid(f"{METADATA_NAME}: {otherwise}")
