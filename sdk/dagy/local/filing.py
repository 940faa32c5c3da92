"""Writing the files of finished tasks while others still run.

A run of small tasks spends more time in the file system, making two directories and two files for each, than in
everything else together, and does it in the kernel, without Python's lock. So one thread files what is final while
the workers go on; what it has not filed when the run ends, settling files.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from queue import SimpleQueue

from dagy.local import artifacts
from dagy.local.history import GrowingHistory
from dagy.local.layout import LocalPaths
from dagy.local.metadata import write_task_metadata


class Filer:
    """Of one run. `put` a task run once it is final; its order and the thread do not matter. Those that are `filed`
    already need not be.
    """

    def __init__(self, paths: LocalPaths, history: GrowingHistory, *, filed: Collection[str] = ()) -> None:
        self._paths = paths
        self._history = history
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._filed = set(filed)
        self._thread = threading.Thread(target=self._work, name="dagy-filer", daemon=True)
        self._thread.start()

    def put(self, task_run_id: str) -> None:
        self._queue.put(task_run_id)

    def close(self) -> set[str]:
        """The ids of the task runs whose files are all there. A repeat gives the same."""
        self._queue.put(None)
        self._thread.join()
        return self._filed

    def _work(self) -> None:
        import duckdb  # noqa: F401 - heavy, and needed as soon as the run ends

        while (task_run_id := self._queue.get()) is not None:
            try:
                self._file(task_run_id)
            except OSError:  # a full disk, most likely: settling tries again, and tells
                return
            self._filed.add(task_run_id)

    def _file(self, task_run_id: str) -> None:
        task_run = self._history.task_run(task_run_id)
        if task_run.result is not None:
            data = self._history.unwritten(task_run.result.path)
            if data is not None:
                artifacts.write(self._paths.root, task_run.result.path, data)
                self._history.written(task_run.result.path)
        write_task_metadata(self._paths, task_run)
