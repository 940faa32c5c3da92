"""The dependency packages a warm function has on its disk: downloaded and unpacked once, however many runs use them.

A flow's process could write there, since it runs as the same user, and the next one might be somebody else's. So every
file is looked at before each use: whoever writes, replaces, adds or removes one, or changes its times, changes the
`ctime` of an inode, which only the kernel sets. What was touched is thrown away and fetched again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.offer import MAX_PACKAGES_UNPACKED_BYTES
from dagy.core.platforms import Platform
from dagy.packages.reading import extract_package
from dagy_runtime.engine.artifacts import Unusable
from dagy_runtime.ports import Blobs, Pulse
from dagy_runtime.this_platform import this_platform
from dagy_runtime.values import PackageRef, Problem
from dagy_runtime.worker.workdir import kept_dir, remove

_AGAIN: Final = "Create it again: dagy packages create requirements.txt"

Seal = frozenset[tuple[str, int, int, int]]  # of every file and folder: path, inode, ctime, size


class _Kept(Struct, frozen=True):
    folder: Path
    seal: Seal
    unpacked_bytes: int


class Provided(Struct, frozen=True):
    """The folders of the packages in the order asked for, and the slugs of those that had to be fetched."""

    folders: tuple[Path, ...]
    fetched: tuple[str, ...] = ()


class PackageCache:
    """Of one process; for one run at a time."""

    def __init__(self, *, max_bytes: int = MAX_PACKAGES_UNPACKED_BYTES, platform: Platform | None = None) -> None:
        self._max_bytes = max_bytes
        self._platform = platform or this_platform()
        self._kept: dict[str, _Kept] = {}  # by SHA-256 of the zip, the one used last at the end

    def provide(self, blobs: Blobs, packages: Sequence[PackageRef], *, pulse: Pulse) -> Provided | Unusable:
        """All of them, or why the run cannot have one, now or later. A crash or an error leaves no half of a package.

        Raises: Unavailable; a later try may succeed.
        """
        self._sweep()
        wanted = {package.artifact.sha256 for package in packages}
        folders, fetched = [], []
        for package in packages:
            sha256 = package.artifact.sha256
            kept = self._kept.pop(sha256, None)
            if kept is not None and _seal_of(kept.folder, pulse) != kept.seal:
                remove(kept.folder)
                kept = None
            if kept is None:
                got = self._fetch(blobs, package, wanted, pulse)
                if isinstance(got, Unusable):
                    return got
                kept = got
                fetched.append(package.slug)
            self._kept[sha256] = kept
            folders.append(kept.folder)
        return Provided(tuple(folders), tuple(fetched))

    def clear(self) -> None:
        for sha256 in list(self._kept):
            self._evict(sha256)

    def _sweep(self) -> None:
        """What flows wrote beside the packages."""
        for root in {kept.folder.parent for kept in self._kept.values()}:
            for path in root.iterdir() if root.is_dir() else ():
                if path.name not in self._kept:
                    remove(path)

    def _fetch(self, blobs: Blobs, package: PackageRef, wanted: set[str], pulse: Pulse) -> _Kept | Unusable:
        self._make_room(package.unpacked_bytes, wanted)
        try:
            return self._unpack(blobs, package, pulse)
        except NotFound:
            version = f" (version {package.artifact.version_id})" if package.artifact.version_id else ""
            return _unusable(
                "PackageGone", package, f"does not exist any more: {package.artifact.uri}{version}. {_AGAIN}"
            )
        except InvalidInput as error:
            return _unusable(type(error).__name__, package, f"cannot be used: {error}")
        except OSError as error:
            if self._evict_all_but(wanted):
                return self._fetch(blobs, package, wanted, pulse)
            return _unusable(
                "NoRoom",
                package,
                f"({package.unpacked_bytes:,} bytes unpacked) does not fit on the function's disk: "
                f"{error.strerror or error}. Attach fewer or smaller packages.",
            )

    def _unpack(self, blobs: Blobs, package: PackageRef, pulse: Pulse) -> _Kept | Unusable:
        artifact, root = package.artifact, kept_dir("packages")
        download, folder = root / "download", root / artifact.sha256
        try:
            found = blobs.get_file(artifact.key, download, version_id=artifact.version_id, pulse=pulse)
            if found != artifact.sha256:
                return _unusable(
                    "PackageMismatch",
                    package,
                    f"has SHA-256 {found}, but the run was submitted with {artifact.sha256}; nothing of it was used. "
                    f"{_AGAIN}",
                )
            remove(folder)  # what an error in its removal may have left
            contents = extract_package(download, folder, pulse=pulse)
        finally:
            download.unlink(missing_ok=True)
        if contents.platform != self._platform:
            remove(folder)
            return _unusable(
                "PackageMismatch",
                package,
                f"was built for {contents.platform.name}, but this function runs {self._platform.name}. {_AGAIN}",
            )
        return _Kept(folder, _seal_of(folder, pulse), contents.unpacked_bytes)

    def _make_room(self, needed_bytes: int, wanted: set[str]) -> None:
        """The packages that were used longest ago go first."""
        for sha256 in [one for one in self._kept if one not in wanted]:
            if sum(kept.unpacked_bytes for kept in self._kept.values()) + needed_bytes <= self._max_bytes:
                return
            self._evict(sha256)

    def _evict_all_but(self, wanted: set[str]) -> bool:
        """Whether there was any."""
        others = [sha256 for sha256 in self._kept if sha256 not in wanted]
        for sha256 in others:
            self._evict(sha256)
        return bool(others)

    def _evict(self, sha256: str) -> None:
        remove(self._kept.pop(sha256).folder)


def _seal_of(folder: Path, pulse: Pulse) -> Seal:
    """Empty when the folder is not there. Links are not followed."""
    found: set[tuple[str, int, int, int]] = set()
    folders = [str(folder)]
    try:
        found.add(_look("", folder.lstat()))
        while folders:
            pulse()
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    found.add(_look(entry.path, entry.stat(follow_symlinks=False)))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    except OSError:
        return frozenset()
    return frozenset(found)


def _look(path: str, stat: os.stat_result) -> tuple[str, int, int, int]:
    return path, stat.st_ino, stat.st_ctime_ns, stat.st_size


def _unusable(error_type: str, package: PackageRef, what: str) -> Unusable:
    return Unusable(Problem(error_type, f"The dependency package {package.slug} {what}"))
