"""Threads that do one job after another. One that is stuck can be given up: another takes its place.

Threads cannot be killed, so one that was given up goes on until its job ends, which may be never. All are daemons:
the process ends without them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from dagy.execution.timing import Wake

Job = Callable[[], "object | None"]
"""Returns the message for the inbox; None when the thread was given up meanwhile and shall end."""


class Broken:
    """A job raised: not the author's code, which jobs guard against, but what stands around it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@dataclass(frozen=True, slots=True)
class _Started:
    """`ahead` is what it is about, when it was started before a thread was free for it."""

    job: Job
    ahead: object | None


class Workers:
    """As many threads as there were ever jobs at once, but not more than `size` that were not given up. Only the thread
    that made it may call its methods, but for `recall`.

    A job can be started ahead of a thread that is free for it. `recall` takes those back that have not begun.
    """

    def __init__(self, inbox: SimpleQueue[Any], *, size: int) -> None:
        self._inbox = inbox
        self._size = size
        self._jobs: SimpleQueue[_Started | None] = SimpleQueue()
        self._recalled: deque[Any] = deque()
        self._is_recalling = False
        self._threads: list[threading.Thread] = []
        self._alive = 0
        self._busy = 0

    def start(self, job: Job, *, ahead: object | None = None) -> None:
        """Its message, or `Broken`, arrives in the inbox; call `finished` then. `ahead` is what comes back when the
        job is recalled.
        """
        self._busy += 1
        if self._alive < min(self._busy, self._size):
            self._alive += 1
            name = f"dagy-worker-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(_Started(job, ahead))

    def finished(self) -> None:
        self._busy -= 1

    def recall(self) -> None:
        """From now on nothing begins that was started ahead, until `allow_ahead`. Any thread may call this."""
        self._is_recalling = True
        others = []
        with suppress(Empty):
            while True:
                started = self._jobs.get_nowait()
                if started is None or started.ahead is None:
                    others.append(started)
                else:
                    self._recalled.append(started.ahead)
        for started in others:
            self._jobs.put(started)

    def allow_ahead(self) -> None:
        self._is_recalling = False

    def recalled(self) -> Iterator[Any]:
        """What was recalled, the last first, each once."""
        while self._recalled:
            self._busy -= 1
            yield self._recalled.pop()

    def give_up_one(self) -> None:
        """The thread of a job whose answer will be None: it no longer counts."""
        self._alive -= 1
        self._busy -= 1

    def close(self) -> None:
        """Idle threads end; busy ones end after their job."""
        for _ in range(self._alive):
            self._jobs.put(None)
        if not self._busy and self._alive == len(self._threads):
            for thread in self._threads:
                thread.join()

    def _serve(self) -> None:
        while (started := self._jobs.get()) is not None:
            if self._is_recalling and started.ahead is not None:
                self._recalled.append(started.ahead)
                self._inbox.put(Wake)
                continue
            try:
                message = started.job()
            except BaseException as error:
                message = Broken(error)
            if message is None:
                return
            self._inbox.put(message)
            del message, started  # an idle thread keeps no result alive
