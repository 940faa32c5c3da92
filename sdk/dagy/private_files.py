"""Files that only their owner may read, written whole or not at all, by one writer at a time."""

from __future__ import annotations

import fcntl
import glob
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_HALF: Final = ".half"
_log: Final = logging.getLogger(__name__)


def write_private(path: Path, text: str) -> None:
    """Replace `path` with `text`, mode 0600. Readers see the old file or the new one; after a crash one of the two
    is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(_HALF, f".{path.name}-", path.parent)  # mode 0600 from the start
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> str | None:
    """The text of `path`, None when there is no such file. Rights that others have to it are taken away, with a
    warning: whatever was in it may have been read.

    Bytes that are not UTF-8 come back as replacement characters, for the parser to stumble over.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(0o600)
            _log.warning("%s could be read by others (mode %04o); it is 0600 now", path, mode)
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the only right to change `path`, until the block ends. Others wait. The lock file beside it stays; what a
    writer that was killed has left behind goes, it may hold a secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in path.parent.glob(f".{glob.escape(path.name)}-*{_HALF}"):
            left.unlink(missing_ok=True)
        yield
