"""The journal of one run: the truth about it while it goes on, and after a crash.

Its writer holds a lock on the file (`flock`) for as long as its process lives, and the kernel takes the lock away
when the process ends, however it ends. So a journal whose lock can be had is one nobody writes any more.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from dagy.core.errors import LocalRecordsError
from dagy.local.events import Event, RunStarted
from dagy.local.private import create_private, make_private_dir, write_all, write_briefly

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Event)


class JournalWriter:
    """Thread-safe. What was appended survives the death of the process (it is in the kernel's hands); only `sync`
    makes it survive the machine's.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._lock = threading.Lock()
        self._pending: list[bytes] = []
        self._is_broken = False
        _open_writers.add(self)

    @classmethod
    def create(cls, path: Path, first: RunStarted) -> JournalWriter:
        """The file appears under its name only when it is locked and has its first line.

        Raises: OSError, FileExistsError among them.
        """
        make_private_dir(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        fd = create_private(temporary, append=True)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            write_all(fd, _encoder.encode(first) + b"\n")
            os.link(temporary, path)
        except BaseException:
            os.close(fd)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        return cls(path, fd)

    @classmethod
    def reopened(cls, path: Path, claim: Claim, kept: Path) -> JournalWriter:
        """The journal `kept`, which was claimed, gets its name of a live one back, without a line that was cut off.

        Raises: LocalRecordsError.
        """
        try:
            os.ftruncate(claim.fd, claim.readable_bytes)
            kept.rename(path)
            return cls(path, os.dup(claim.fd))
        except OSError as error:
            raise LocalRecordsError(f"The run cannot be recorded in {path}: {error}") from error

    def append(self, event: Event, *, can_wait: bool = False) -> None:
        """An event that `can_wait` goes out with the next one that cannot, or with `flush`.

        Raises: LocalRecordsError when it cannot be written, and ever after: lines after a torn one would be lost.
        """
        line = _encoder.encode(event)
        with self._lock:
            self._pending += (line, b"\n")
            if not can_wait:
                self._write_pending()

    def flush(self) -> None:
        """Raises: as `append`."""
        with self._lock:
            if self._pending and self._fd >= 0:
                self._write_pending()

    def sync(self) -> None:
        """Returns when the file is on the disk. Raises: OSError."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Gives the lock back. A repeat does nothing."""
        with self._lock:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def forget_in_child(self) -> None:
        """In a forked child: the lock is the parent's, and must end with it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write_pending(self) -> None:
        if self._is_broken:
            raise LocalRecordsError(f"The journal {self.path} can no longer be written")
        data = b"".join(self._pending)
        self._pending.clear()
        try:
            write_briefly(self._fd, data)
        except OSError as error:
            self._is_broken = True
            raise LocalRecordsError(f"The run cannot be recorded in {self.path}: {error.strerror}") from error


_open_writers: Final[weakref.WeakSet[JournalWriter]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for writer in list(_open_writers):
        writer.forget_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)


def read_events(path: Path) -> list[Event]:
    """As far as they can be read: a last line that was cut off is left out. Empty when there is no file."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Event], int]:
    """The events, and the bytes they take."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    events: list[Event] = []
    readable_bytes = 0
    for line in data.split(b"\n")[:-1]:
        try:
            events.append(_decoder.decode(line))
        except msgspec.MsgspecError:
            break
        readable_bytes += len(line) + 1
    return events, readable_bytes


def first_event(path: Path) -> RunStarted | None:
    """Without reading the rest."""
    try:
        with path.open("rb") as file:
            event = _decoder.decode(file.readline())
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return event if isinstance(event, RunStarted) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """An open journal that nobody else may write. `fd` appends."""

    fd: int
    readable_bytes: int


@contextmanager
def claimed(path: Path) -> Iterator[Claim | None]:
    """The journal of a run that was settled, for the block, and longer when it is reopened in there. None when somebody
    else has it, or it is gone.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield Claim(fd, _read(path)[1]) if _try_lock(fd) and _is_still_there(path, fd) else None
    finally:
        os.close(fd)


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Whether nobody writes this journal any more; if so, nobody else is told the same until the block ends.

    False also when the file is gone, or when somebody else is settling it right now.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _try_lock(fd) and _is_still_there(path, fd)
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still_there(path: Path, fd: int) -> bool:
    """Somebody may have settled and removed it between our opening and our locking."""
    try:
        return path.stat().st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False
