"""The task and the container machine in memory: executions that wait in a list until somebody lets them go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dagy.core.sizes import Size
from dagy_runtime.adapters.memory.delivery import Delivery
from dagy_runtime.messages import RunTask
from dagy_runtime.ports import Clock

Invoke = Callable[[Delivery], "float | None"]
"""Bring the message to its function; when to do so again, seconds since the epoch, or None for never."""


class MemoryExecutions:
    """`started` has every execution since the beginning, in order; `waiting` those that have not ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.started: list[Delivery] = []
        self.waiting: list[Delivery] = []

    def start(self, size: Size, message: RunTask, *, name: str) -> None:
        execution = Delivery(message, size, self._clock.now(), name)
        with self._lock:
            self.started.append(execution)
            self.waiting.append(execution)

    def next_at(self) -> float | None:
        """When the next one goes on: advance the clock to there."""
        with self._lock:
            return min((execution.at for execution in self.waiting if execution.at is not None), default=None)

    def go_on(self, invoke: Invoke) -> int:
        """Let all go on that are due by the clock, including those that `invoke` itself starts. How many invocations.

        An exception of `invoke` passes through, and ends its execution.
        """
        invocations = 0
        while execution := self._take_due():
            again_at = invoke(execution)
            invocations += 1
            if again_at is not None:
                with self._lock:
                    self.waiting.append(Delivery(execution.message, execution.size, again_at, execution.name))
        return invocations

    def _take_due(self) -> Delivery | None:
        now = self._clock.now()
        with self._lock:
            due = [execution for execution in self.waiting if execution.at is not None and execution.at <= now]
            if not due:
                return None
            self.waiting.remove(due[0])
            return due[0]
