"""The folders of one child on disk, and the removal of what earlier ones left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from dagy_runtime.this_platform import IS_LAMBDA

_PREFIX: Final = "dagy-run-"
_IN_USE: Final[set[str]] = set()


class WorkDir(Struct, frozen=True):
    """Four empty folders of a child's own; see `Job`."""

    root: Path

    @property
    def code(self) -> Path:
        return self.root / "code"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def temp(self) -> Path:
        return self.root / "tmp"

    @property
    def handover(self) -> Path:
        return self.root / "handover"

    @property
    def download(self) -> Path:
        """Where a file may lie for a moment."""
        return self.root / "download"


@contextmanager
def fresh_work_dir(*, is_sole_user: bool = IS_LAMBDA) -> Iterator[WorkDir]:
    """Made for the block, readable by this user only, and gone after it with all that was written there.

    Removes first what processes that are dead left behind. The sole user of the temporary folder empties it, before and
    after: a flow must not find what another wrote there, also not when the whole function died over that one.
    """
    temp = Path(tempfile.gettempdir())
    sweep = _empty if is_sole_user else _sweep
    sweep(temp)
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=temp))
    _IN_USE.add(root.name)
    work_dir = WorkDir(root)
    try:
        for folder in (work_dir.code, work_dir.scratch, work_dir.temp, work_dir.handover):
            folder.mkdir()
        yield work_dir
    finally:
        remove(root)
        _IN_USE.discard(root.name)
        sweep(temp)


def kept_dir(name: str) -> Path:
    """A folder that outlives runs, readable by this user only, made when it is not there. It is removed as a run's is,
    once this process is dead.
    """
    root = Path(tempfile.gettempdir(), f"{_PREFIX}{os.getpid()}-{name}")
    root.mkdir(mode=0o700, exist_ok=True)
    _IN_USE.add(root.name)
    return root


def _empty(temp: Path) -> None:
    for path in temp.iterdir():
        if path.name not in _IN_USE:
            remove(path)


def _sweep(temp: Path) -> None:
    for path in temp.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        is_ours = pid == str(os.getpid())
        if (is_ours and path.name not in _IN_USE) or (pid.isdigit() and not is_ours and not _is_alive(int(pid))):
            remove(path)


def remove(path: Path) -> None:
    """Also what user code made unreadable, as far as it goes; what is left is removed by the next sweep."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_make_writable_and_retry)
    else:
        with suppress(OSError):
            path.unlink()


def _make_writable_and_retry(removal: object, path: str, _: object) -> None:
    try:
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)
    except OSError:
        return


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
