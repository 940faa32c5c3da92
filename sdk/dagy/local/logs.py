"""The log files of one run: `run.log` with every line, and a `task.log` for each task with its own.

Lines are written at once, so that they can be followed, and are there after a crash.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Final

from dagy.local.history import timestamp
from dagy.local.layout import LocalPaths
from dagy.local.private import create_private, make_private_dir, write_all

_MOST_OPEN: Final = 64


class LogFiles:
    """Thread-safe. A log that cannot be written (a full disk) loses lines and fails nothing: the facts are in the
    journal.
    """

    def __init__(self, paths: LocalPaths, run_id: str) -> None:
        self._paths = paths
        self._run_id = run_id
        self._lock = threading.Lock()
        self._task_fds: OrderedDict[str, int] = OrderedDict()  # least recently used first
        self.lost_count = 0
        make_private_dir(paths.run(run_id))
        self._run_fd = create_private(paths.run_log(run_id), append=True)

    def write(self, at_s: float, task_run_id: str | None, stream: str, line: str, *, is_for_task: bool = True) -> None:
        """`is_for_task` also writes it to the task's own log."""
        moment = timestamp(at_s)
        subject = "" if task_run_id is None else f"[{task_run_id}] "
        with self._lock:
            try:
                write_all(self._run_fd, _encoded(f"{moment} {stream:<7} {subject}{line}\n"))
                if task_run_id is not None and is_for_task:
                    write_all(self._task_fd(task_run_id), _encoded(f"{moment} {stream:<7} {line}\n"))
            except OSError:
                self.lost_count += 1

    def close(self) -> None:
        """A repeat does nothing; lines after it are lost."""
        with self._lock:
            for fd in self._task_fds.values():
                os.close(fd)
            self._task_fds.clear()
            fd, self._run_fd = self._run_fd, -1
            if fd >= 0:
                os.close(fd)

    def _task_fd(self, task_run_id: str) -> int:
        fd = self._task_fds.pop(task_run_id, None)
        if fd is None:
            if len(self._task_fds) >= _MOST_OPEN:
                os.close(self._task_fds.popitem(last=False)[1])
            make_private_dir(self._paths.task_run(self._run_id, task_run_id))
            fd = create_private(self._paths.task_log(self._run_id, task_run_id), append=True)
        self._task_fds[task_run_id] = fd
        return fd


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="backslashreplace")
