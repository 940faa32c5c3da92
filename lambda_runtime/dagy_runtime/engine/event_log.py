"""A run's events, written in batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dagy.core.timestamps import to_iso
from dagy_runtime.ports import Ports
from dagy_runtime.values import Event

_BATCH: Final = 25  # what one DynamoDB batch write takes


class EventLog:
    """Not thread-safe. Events follow the facts they tell of; those not yet flushed are lost with the invocation."""

    def __init__(self, ports: Ports, run_id: str) -> None:
        self._ports, self._run_id = ports, run_id
        self._waiting: list[Event] = []

    def add(
        self,
        type: str,
        *,
        task_run_id: str | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        at = to_iso(self._ports.clock.now())
        event = Event(self._run_id, self._ports.ids.unique(), at, type, task_run_id, attempt, dict(data or {}))
        self._waiting.append(event)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._ports.runs.append_events(self._waiting)
            self._waiting = []
