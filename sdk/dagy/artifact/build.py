"""Building an artifact: check the flow, collect its files, pack them, write the zip."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dagy.artifact.buildable import check_buildable, entry_function
from dagy.artifact.collecting import Collection, collect
from dagy.artifact.data_files import data_files
from dagy.artifact.dependencies import Absent, dependencies_of, warning
from dagy.artifact.metadata import Metadata
from dagy.artifact.namespace import derived_namespace
from dagy.artifact.packing import pack
from dagy.artifact.project import Project
from dagy.artifact.task_code import task_codes
from dagy.authoring.flows import Flow, TracedFlow, trace_flow
from dagy.authoring.source import dotted_name, file_of
from dagy.core.errors import InvalidInput
from dagy.core.spec import FlowSpec, code_hash
from dagy.core.task_code import digest_of
from dagy.core.timestamps import to_iso
from dagy.local.paths import local_dir
from dagy.version import VERSION

_EARLIEST_S: Final = 315_532_800  # 1980-01-01T00:00:00Z, as early as a zip can tell


@dataclass(frozen=True, slots=True)
class LocalArtifact:
    """A built artifact. `sha256` is the hex digest of the zip at `path`; `warnings` are for the author to read."""

    path: Path
    flow_name: str
    flow_version: str
    spec: FlowSpec
    code_hash: str
    sha256: str
    metadata: Metadata
    absent: tuple[Absent, ...] = ()
    """What it imports that neither it nor the runtimes have."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(map(warning, self.absent))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The files by their paths inside the zip, the folders in there that modules are imported from, and which of the
    files are data.
    """

    files: Mapping[str, bytes]
    source: str
    import_roots: tuple[str, ...]
    included: tuple[str, ...]


def build_artifact(
    flow: Flow[..., Any],
    *,
    output_dir: str | Path | None = None,
    include: Iterable[str] = (),
    version: str | None = None,
    flow_kwargs: Mapping[str, Any] | None = None,
) -> LocalArtifact:
    """Package a flow with every local module it imports, and the data files that the globs `include` match.

    Written to `<output_dir>/artifact.zip`, replacing what is there; without `output_dir` to a folder of its own under
    `DAGY_LOCAL_DIR/builds`. `build.json` beside it tells when it was built. Equal input gives equal bytes.

    Raises: InvalidFlow naming file and line of what cannot run elsewhere: a nested task, a module found nowhere, a
    body that needs a parameter's value (give it in `flow_kwargs`). InvalidInput for a bad glob, version or parameter.
    Nothing is written then.
    """
    traced = trace_flow(flow, (), dict(flow_kwargs or {}), version=version, is_open=True)
    source = check_buildable(traced)
    project = Project.around(source, Path.cwd())
    collection = collect(source, project, also=_task_files(traced, project))
    layout = _laid_out(collection, source, data_files(include, project.roots))
    dependencies = dependencies_of(collection.external)
    built_at = _told_time()
    spec = replace(_as_shipped(traced, source), created_at=built_at)
    metadata = Metadata(
        flow_name=spec.name,
        flow_version=spec.version,
        is_version_pinned=version is not None or flow.version is not None,
        entrypoint=f"{dotted_name(source)}:{entry_function(flow)}",
        source=layout.source,
        import_roots=layout.import_roots,
        built_at=built_at,
        python_version=platform.python_version(),
        dagy_version=VERSION,
        code_hash=code_hash(spec, _source_hash(layout.files)),
        namespace=derived_namespace(source, Path.cwd()),
        dependencies=dependencies.versions,
        included=layout.included,
        task_codes=_task_codes(traced),
    )
    data = pack(layout.files, spec=spec.to_dict(), metadata=metadata.to_dict())
    sha256 = hashlib.sha256(data).hexdigest()
    path = _output_path(output_dir, spec.name, sha256)
    _write(path, data)
    _write(path.with_name("build.json"), _sidecar(metadata, sha256))
    return LocalArtifact(path, spec.name, spec.version, spec, metadata.code_hash, sha256, metadata, dependencies.absent)


def _task_codes(traced: TracedFlow) -> dict[str, str]:
    codes = task_codes(traced.tasks.values(), as_in_files=True)
    return {name: "" if code.unknown else digest_of(code) for name, code in sorted(codes.items())}


def _told_time() -> str:
    given = os.environ.get("SOURCE_DATE_EPOCH") or str(_EARLIEST_S)
    if not given.isdecimal():
        raise InvalidInput(f"SOURCE_DATE_EPOCH must be seconds since 1970, got {given!r}")
    return to_iso(int(given))


def _task_files(traced: TracedFlow, project: Project) -> list[Path]:
    """Where the tasks are written: modules that no text names, when the flow imports them by computed names."""
    files = {file_of(call.task.fn): call.task.fn.__module__ for call in traced.calls.values()}
    found = {file: project.find(module) for file, module in files.items() if file is not None}
    return [path for file, local in found.items() if local and file in local.files for path in local.files]


def _laid_out(collection: Collection, source: Path, data: list[Path]) -> _Layout:
    """Paths are relative to the folder the flow is imported from, or to the current directory when something lies, or
    is imported from, outside of that: where a build is started changes the artifact as seldom as possible.
    """
    roots = collection.project.roots
    is_narrow = not collection.is_wide and all(file.is_relative_to(roots[0]) for file in [*collection.sources, *data])
    base = roots[0] if is_narrow else roots[-1]
    contents = {**collection.sources, **{file: file.read_bytes() for file in data}}
    return _Layout(
        files={file.relative_to(base).as_posix(): content for file, content in contents.items()},
        source=source.relative_to(base).as_posix(),
        import_roots=tuple(root.relative_to(base).as_posix() for root in roots if root.is_relative_to(base)),
        included=tuple(sorted(file.relative_to(base).as_posix() for file in data)),
    )


def _as_shipped(traced: TracedFlow, source: Path) -> FlowSpec:
    """The plan with import paths as they are inside the artifact, whatever the flow's module was called here."""
    tasks = dict(traced.spec.tasks)
    for call in traced.calls.values():
        if file_of(call.task.fn) == source:
            name = tasks[call.task.name].import_path.partition(":")[2]
            tasks[call.task.name] = replace(tasks[call.task.name], import_path=f"{dotted_name(source)}:{name}")
    return replace(traced.spec, tasks=tasks)


def _source_hash(files: Mapping[str, bytes]) -> str:
    """Of a single file its SHA-256; of several, the SHA-256 over their sorted paths and hashes."""
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    listing = "".join(f"{path}\0{digest}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def _output_path(output_dir: str | Path | None, flow_name: str, sha256: str) -> Path:
    if output_dir is not None:
        return Path(output_dir).expanduser() / "artifact.zip"
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return local_dir() / "builds" / flow_name / f"{flow_name}-{moment}-{sha256[:6]}" / "artifact.zip"


def _sidecar(metadata: Metadata, sha256: str) -> bytes:
    told = {
        "flow_name": metadata.flow_name,
        "flow_version": metadata.flow_version,
        "sha256": sha256,
        "code_hash": metadata.code_hash,
        "built_at": to_iso(time.time()),
    }
    return json.dumps(told, indent=1).encode() + b"\n"


def _write(path: Path, data: bytes) -> None:
    """All or nothing, also when two builds write the same path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
