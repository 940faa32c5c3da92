"""Files and directories that only their owner may read, written with as few system calls as it takes: a run of
10,000 tasks writes tens of thousands.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

_FILE_MODE: Final = 0o600
_DIR_MODE: Final = 0o700
_BRIEF_BYTES: Final = 64 * 1024

_write: Final = ctypes.PyDLL(None, use_errno=True).write  # a CDLL would let go of Python's lock, as os.write does
_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_write.restype = ctypes.c_ssize_t


def make_private_dir(path: str | Path) -> None:
    """With its parents. One that exists stays as it is."""
    try:
        os.mkdir(path, _DIR_MODE)  # noqa: PTH102 - half the time of Path.mkdir
    except FileExistsError:
        return
    except FileNotFoundError:
        make_private_dir(Path(path).parent)
        Path(path).mkdir(mode=_DIR_MODE, exist_ok=True)


def create_private(path: str | Path, *, append: bool = False) -> int:
    """A descriptor to write to; an existing file is emptied unless `append`."""
    flags = os.O_APPEND if append else os.O_TRUNC
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, _FILE_MODE)


def write_private_file(path: str | Path, data: bytes) -> None:
    """Not atomic: for files that nobody reads before something else says they are there."""
    fd = create_private(path)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def write_briefly(fd: int, data: bytes) -> None:
    """As `write_all`, without letting go of Python's lock: to a local file, a few hundred bytes take 2 µs, and getting
    the lock back from other threads 100. Raises: OSError.
    """
    written = _write(fd, data, len(data)) if len(data) <= _BRIEF_BYTES else 0
    if written < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if written < len(data):
        write_all(fd, data[written:])


def write_all(fd: int, data: bytes) -> None:
    """The kernel may take less than it is given, when the disk is nearly full or a signal comes."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])
