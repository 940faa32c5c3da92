"""Schedules that are remembered and never fire by themselves: whoever holds the clock fires them."""

from __future__ import annotations

import threading

from dagy_runtime.values import ScheduleSpec


class MemorySchedules:
    """Stores what it is given; `dagy.schedules` says what can be honoured. `by_deployment` is for looking at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_deployment: dict[str, tuple[ScheduleSpec, bool]] = {}

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        with self._lock:
            self.by_deployment[deployment] = (schedule, is_enabled)

    def delete(self, deployment: str) -> None:
        with self._lock:
            self.by_deployment.pop(deployment, None)

    def get(self, deployment: str) -> tuple[ScheduleSpec, bool] | None:
        with self._lock:
            return self.by_deployment.get(deployment)
