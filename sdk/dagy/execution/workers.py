"""Threads that do one job after another. One that is stuck can be given up: another takes its place.

Threads cannot be killed, so one that was given up goes on until its job ends, which may be never. All are daemons:
the process ends without them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = Callable[[], "object | None"]
"""Returns the message for the inbox; None when the thread was given up meanwhile and shall end."""


class Broken:
    """A job raised: not the author's code, which jobs guard against, but what stands around it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Workers:
    """As many threads as there were ever jobs at once. Only the thread that made it may call its methods."""

    def __init__(self, inbox: SimpleQueue[Any]) -> None:
        self._inbox = inbox
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._alive = 0
        self._busy = 0

    def start(self, job: Job) -> None:
        """Its message, or `Broken`, arrives in the inbox; call `finished` then."""
        self._busy += 1
        if self._alive < self._busy:
            self._alive += 1
            name = f"dagy-worker-{len(self._threads) + 1}"
            thread = threading.Thread(target=_serve, args=(self._jobs, self._inbox), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def finished(self) -> None:
        self._busy -= 1

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


def _serve(jobs: SimpleQueue[Job | None], inbox: SimpleQueue[Any]) -> None:
    while (job := jobs.get()) is not None:
        try:
            message = job()
        except BaseException as error:
            message = Broken(error)
        if message is None:
            return
        inbox.put(message)
        del message, job  # an idle thread keeps no result alive
