"""Writing the files of finished tasks while others still run.

People look at them with `ls` while a run goes on, so they are there soon after a task is final. Not while tasks finish
by the thousand: a thread that makes directories and files lets go of Python's lock eight times for each task, and
every time takes it from a worker. What is not filed when the run ends, settling files.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection
from typing import Final

from dagy.local import artifacts
from dagy.local.history import GrowingHistory
from dagy.local.layout import LocalPaths
from dagy.local.metadata import write_task_metadata

_EVERY_S: Final = 0.2
_MANY: Final = 100  # finished since it last looked
_MOST_WAITING: Final = 5_000  # their results, up to 16 KiB each, are kept in memory


class Filer:
    """Of one run. `put` a task run once it is final; its order and the thread do not matter. Those that are `filed`
    already need not be.
    """

    def __init__(self, paths: LocalPaths, history: GrowingHistory, *, filed: Collection[str] = ()) -> None:
        self._paths = paths
        self._history = history
        self._waiting: deque[str] = deque()
        self._filed = set(filed)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dagy-filer", daemon=True)
        self._thread.start()

    def put(self, task_run_id: str) -> None:
        self._waiting.append(task_run_id)

    def close(self) -> set[str]:
        """The ids of the task runs whose files are all there. A repeat gives the same."""
        self._closing.set()
        self._thread.join()
        return self._filed

    def _work(self) -> None:
        import duckdb  # noqa: F401 - heavy, and needed as soon as the run ends

        left = 0
        while not self._closing.wait(_EVERY_S):
            if len(self._waiting) - left <= _MANY or len(self._waiting) > _MOST_WAITING:
                try:
                    self._file_waiting()
                except OSError:  # a full disk, most likely: settling tries again, and tells
                    return
            left = len(self._waiting)

    def _file_waiting(self) -> None:
        while self._waiting and not self._closing.is_set():
            task_run_id = self._waiting[0]
            self._file(task_run_id)
            self._filed.add(task_run_id)
            self._waiting.popleft()

    def _file(self, task_run_id: str) -> None:
        task_run = self._history.task_run(task_run_id)
        if task_run.result is not None:
            data = self._history.unwritten(task_run.result.path)
            if data is not None:
                artifacts.write(self._paths.root, task_run.result.path, data)
                self._history.written(task_run.result.path)
        write_task_metadata(self._paths, task_run)
