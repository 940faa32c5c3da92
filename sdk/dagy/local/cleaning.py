"""What is kept on this machine of runs and builds, how much room it takes, and making it go.

Runs that go on are none of it. Each step can be repeated, and a removal that is cut short is taken up by the next one:
files go first, and the database forgets a run last.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from dagy.core.timestamps import to_epoch
from dagy.local.layout import LocalPaths
from dagy.local.paths import local_dir
from dagy.local.records import LocalRecords
from dagy.local.settling import remove

_AT_ONCE: Final = 100  # runs that the database forgets in one transaction
_SETTLED_AFTER_S: Final = 3600.0  # files of a run that is in no record belong to one that begins just now, or to none


class Kind(str, Enum):
    RUNS = "runs"
    BUILDS = "builds"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that has ended, by its id, or a build, by the folder it is in. `at_s` is when it ended, or was built."""

    kind: Kind
    name: str
    at_s: float
    size_bytes: int


def kept(kinds: Collection[Kind] = tuple(Kind)) -> list[Kept]:
    """Newest first, one kind after the other. Settles runs whose process died. Raises: LocalRecordsError."""
    paths = _paths()
    found: list[Kept] = []
    for kind, list_all in ((Kind.RUNS, _runs), (Kind.BUILDS, _builds)):
        if kind in kinds:
            found += sorted(list_all(paths), key=lambda item: (item.at_s, item.name), reverse=True)
    return found


def remove_kept(items: Sequence[Kept], *, tell: Callable[[Kept], None] = lambda item: None) -> list[Kept]:
    """Returns those that are gone; a run that somebody resumes just now stays. `tell` is called for each that goes.

    Raises: LocalRecordsError, with the rest still there.
    """
    paths = _paths()
    gone: list[Kept] = []
    runs = [item for item in items if item.kind is Kind.RUNS]
    for start in range(0, len(runs), _AT_ONCE):
        batch = runs[start : start + _AT_ONCE]
        names = set(remove(paths, [item.name for item in batch]))
        _passed_on([item for item in batch if item.name in names], gone, tell)
    for item in items:
        if item.kind is Kind.BUILDS:
            folder = paths.root / item.name
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # it holds other builds
                folder.parent.rmdir()
            _passed_on([item] if not folder.exists() else [], gone, tell)
    return gone


def size_of(path: Path) -> int:
    """Bytes of all files below it; what vanishes meanwhile counts for nothing."""
    try:
        entries = list(os.scandir(path))
    except NotADirectoryError:
        return path.stat().st_size
    except OSError:
        return 0
    size = 0
    for entry in entries:
        with suppress(OSError):
            size += size_of(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else entry.stat().st_size
    return size


def _passed_on(items: list[Kept], gone: list[Kept], tell: Callable[[Kept], None]) -> None:
    for item in items:
        gone.append(item)
        tell(item)


def _runs(paths: LocalPaths) -> Iterator[Kept]:
    with LocalRecords() as records:
        known = records.list_runs(limit=None)
    for run in known:
        if run.status.is_final:
            yield _run(paths, run.id, to_epoch(run.ended_at or run.started_at))
    ids = {run.id for run in known}
    for name in sorted(_names_in(paths.runs) | _names_in(paths.artifacts)):
        at_s = max(_changed_s(paths.run(name)), _changed_s(paths.artifacts_of(name)))
        if name not in ids and at_s < time.time() - _SETTLED_AFTER_S:
            yield _run(paths, name, at_s)


def _run(paths: LocalPaths, run_id: str, at_s: float) -> Kept:
    return Kept(Kind.RUNS, run_id, at_s, size_of(paths.run(run_id)) + size_of(paths.artifacts_of(run_id)))


def _builds(paths: LocalPaths) -> Iterator[Kept]:
    for folder in sorted((paths.root / "builds").glob("*/*")):
        if folder.is_dir() and not folder.is_symlink():
            name = folder.relative_to(paths.root).as_posix()
            yield Kept(Kind.BUILDS, name, _changed_s(folder), size_of(folder))


def _names_in(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _paths() -> LocalPaths:
    return LocalPaths(local_dir().absolute())
