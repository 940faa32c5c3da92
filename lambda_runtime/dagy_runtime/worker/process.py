"""The parent's side of a child process: start it, hear it, answer it, and make sure that nothing of it is left."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final, Union

import msgspec
from msgspec import Struct

from dagy_runtime.worker.child import Job, live
from dagy_runtime.worker.frames import FrameReader, FrameTooLarge, FromChild, Logged, ToChild, packed
from dagy_runtime.worker.kernel import death_fd
from dagy_runtime.worker.lines import LineReader
from dagy_runtime.worker.orphans import bury_orphans, ready_for_orphans, watch_over

_CHUNK_BYTES: Final = 256 * 1024
_GLANCE_S: Final = 0.25
_GLANCE_BLIND_S: Final = 0.02
"""How often to look whether the process is alive: a precaution where the kernel tells of its end by itself."""
_OUTPUT_BYTES: Final = 32 * 1024  # may be as many lines; the lease wants to be looked after between two reads
_LAST_READS: Final = 32  # the kernel holds less than 1 MiB for the dead
_RSS_UNIT_BYTES: Final = 1024 if sys.platform == "linux" else 1


class Exit(Struct, frozen=True):
    """How a child process ended. Exactly one of `code` and `signal_name` is set."""

    code: int | None
    signal_name: str | None
    peak_mib: float
    cpu_s: float


Heard = Union[FromChild, "Broken"]


class Broken(Struct, frozen=True):
    """The child sent something that is no message. What follows cannot be read."""

    reason: str


class ChildProcess:
    """One child, from its fork to its burial. Not thread-safe.

    Use it as a context manager: leaving it kills the child and everything in its process group, and closes the pipes.
    """

    def __init__(
        self, pid: int, channel: socket.socket, *, stdout_fd: int, stderr_fd: int, others: frozenset[int]
    ) -> None:
        self.pid = pid
        self._others = others
        self._channel = channel
        self._frames = FrameReader(FromChild)
        self._outbox = bytearray()
        self._lines = {stdout_fd: LineReader("stdout"), stderr_fd: LineReader("stderr")}
        self._exit: Exit | None = None
        self._selector = selectors.DefaultSelector()
        channel.setblocking(False)
        self._selector.register(channel, selectors.EVENT_READ)
        for fd in self._lines:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)
        self._death_fd = death_fd(pid)
        if self._death_fd is not None:
            self._selector.register(self._death_fd, selectors.EVENT_READ)

    @classmethod
    def start(cls, job: Job) -> ChildProcess:
        """Fork. The caller should have no other threads that hold locks which user code needs."""
        ours, theirs = socket.socketpair()
        stdout_read, stdout_write = os.pipe()
        stderr_read, stderr_write = os.pipe()
        parent_pid = os.getpid()
        for stream in (sys.stdout, sys.stderr):  # or the child would write what waits in them a second time
            stream.flush()
        others = ready_for_orphans()
        pid = os.fork()
        if pid == 0:
            status = 70  # EX_SOFTWARE: it did not get to its end
            try:
                live(job, parent_pid=parent_pid, channel=theirs, stdout_fd=stdout_write, stderr_fd=stderr_write)
                status = 0
            finally:
                os._exit(status)
        watch_over(pid)
        theirs.close()
        os.close(stdout_write)
        os.close(stderr_write)
        return cls(pid, ours, stdout_fd=stdout_read, stderr_fd=stderr_read, others=others)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self._bury()
        self._selector.close()
        self._channel.close()
        for fd in [*self._lines, *([self._death_fd] if self._death_fd is not None else [])]:
            os.close(fd)

    @property
    def exit(self) -> Exit | None:
        """How it ended; None while it lives, or while there is still something of it to be heard."""
        return self._exit

    def hear(self, timeout_s: float) -> list[Heard]:
        """What the child said and wrote since the last call, in order; waits for something, at most `timeout_s`.

        After the child's end it gives what is left, and then sets `exit`.
        """
        if self._exit is not None:
            return []
        heard = self._read(min(timeout_s, _GLANCE_S if self._death_fd is not None else _GLANCE_BLIND_S))
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return heard
        self.kill()  # while its zombie keeps the group's number from being used again
        self._bury()
        for _ in range(_LAST_READS):
            heard += self._read(0.0)
        for reader in self._lines.values():
            heard += reader.end()
        return heard

    def say(self, frame: ToChild) -> None:
        """Send, without ever waiting for the child; what it does not take now goes out during `hear`."""
        self._outbox += packed(frame)
        self._write()

    def kill(self) -> None:
        """SIGKILL to the child and to what it started. Fine when it is dead."""
        if self._exit is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                # Not a group leader yet, or only its zombie is left (macOS says EPERM then).
                os.kill(self.pid, signal.SIGKILL)

    def _bury(self) -> None:
        if self._exit is None:
            _, status, usage = os.wait4(self.pid, 0)
            bury_orphans(self.pid, others=self._others)
            self._exit = _exit_of(status, usage.ru_maxrss, usage.ru_utime + usage.ru_stime)

    def _read(self, timeout_s: float) -> list[Heard]:
        heard: list[Heard] = []
        for key, events in self._selector.select(timeout_s):
            if events & selectors.EVENT_WRITE:
                self._write()
            if not events & selectors.EVENT_READ:
                continue
            if key.fileobj is self._channel:
                heard += self._read_frames()
            elif key.fd in self._lines:
                heard += self._read_output(key.fd)
        return heard

    def _read_frames(self) -> Sequence[Heard]:
        try:
            data = self._channel.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._channel)
            return []
        try:
            return self._frames.feed(data)
        except (FrameTooLarge, msgspec.DecodeError) as error:
            self._selector.unregister(self._channel)
            return [Broken(str(error))]

    def _read_output(self, fd: int) -> list[Logged]:
        try:
            data = os.read(fd, _OUTPUT_BYTES)
        except BlockingIOError:
            return []
        if not data:
            self._selector.unregister(fd)
            return self._lines[fd].end()
        return self._lines[fd].feed(data)

    def _write(self) -> None:
        try:
            sent = self._channel.send(self._outbox) if self._outbox else 0
            del self._outbox[:sent]
        except BlockingIOError:
            pass
        except OSError:  # it is gone; `hear` will find out
            self._outbox.clear()
        if self._channel in self._selector.get_map():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
            self._selector.modify(self._channel, wanted)


def _exit_of(status: int, max_rss: int, cpu_s: float) -> Exit:
    peak_mib = max_rss * _RSS_UNIT_BYTES / 2**20
    if os.WIFSIGNALED(status):
        return Exit(None, signal.Signals(os.WTERMSIG(status)).name, peak_mib, cpu_s)
    return Exit(os.WEXITSTATUS(status), None, peak_mib, cpu_s)
