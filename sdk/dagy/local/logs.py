"""The log files of one run: `run.log` with every line, and a `task.log` for each task with its own.

What tasks say is written at once, so that it can be followed, and is there after a crash. What happened to them waits
for the next line, or for `flush`: it is in the journal.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from dagy.core.errors import LocalRecordsError
from dagy.local.history import timestamp
from dagy.local.layout import LocalPaths
from dagy.local.private import create_private, make_private_dir, write_briefly

_MOST_OPEN: Final = 64


class LogFiles:
    """Thread-safe. A line that cannot be written (a full disk) is lost; whoever printed it goes on, `check` tells."""

    def __init__(self, paths: LocalPaths, run_id: str) -> None:
        self._paths = paths
        self._run_id = run_id
        self._lock = threading.Lock()
        self._task_fds: OrderedDict[str, int] = OrderedDict()  # least recently used first
        self._problem: str | None = None
        make_private_dir(paths.run(run_id))
        self._run_fd = create_private(paths.run_log(run_id), append=True)
        self._waiting: list[str] = []

    def said(self, at_s: float, task_run_id: str | None, stream: str, line: str) -> None:
        """A line of a task's output, for both logs; without a task, of the run's own."""
        moment = timestamp(at_s)
        with self._lock:
            self._waiting.append(_run_line(moment, stream, task_run_id, line))
            self._flush()
            if task_run_id is not None:
                path = self._paths.task_log(self._run_id, task_run_id)
                self._write(self._task_fd(task_run_id), f"{moment} {stream:<7} {line}\n", path)

    def happened(self, at_s: float, level: str, task_run_id: str | None, text: str) -> None:
        """For the run's log only."""
        line = _run_line(timestamp(at_s), level, task_run_id, text)
        with self._lock:
            self._waiting.append(line)

    def flush(self) -> None:
        with self._lock:
            self._flush()

    def check(self) -> None:
        """Raises: LocalRecordsError when a line was lost."""
        if self._problem is not None:
            raise LocalRecordsError(self._problem)

    def close(self) -> None:
        """A repeat does nothing; lines after it are lost."""
        with self._lock:
            self._flush()
            for fd in self._task_fds.values():
                os.close(fd)
            self._task_fds.clear()
            fd, self._run_fd = self._run_fd, -1
            if fd >= 0:
                os.close(fd)

    def _flush(self) -> None:
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._write(self._run_fd, text, self._paths.run_log(self._run_id))

    def _write(self, fd: int, text: str, path: Path) -> None:
        if fd < 0:
            return
        try:
            write_briefly(fd, text.encode("utf-8", errors="backslashreplace"))
        except OSError as error:
            self._lost(path, error)

    def _lost(self, path: Path, error: OSError) -> None:
        self._problem = self._problem or f"The log {path} cannot be written: {error.strerror}"

    def _task_fd(self, task_run_id: str) -> int:
        """-1 when the file cannot be had."""
        fd = self._task_fds.pop(task_run_id, None)
        if fd is None:
            if len(self._task_fds) >= _MOST_OPEN:
                os.close(self._task_fds.popitem(last=False)[1])
            path = self._paths.task_log(self._run_id, task_run_id)
            try:
                make_private_dir(path.parent)
                fd = create_private(path, append=True)
            except OSError as error:
                self._lost(path, error)
                return -1
        self._task_fds[task_run_id] = fd
        return fd


def _run_line(moment: str, stream: str, task_run_id: str | None, text: str) -> str:
    subject = "" if task_run_id is None else f"[{task_run_id}] "
    return f"{moment} {stream:<7} {subject}{text}\n"
