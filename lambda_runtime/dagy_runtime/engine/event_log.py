"""A run's events, written in batches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.timestamps import to_iso
from dagy_runtime.ports import Ports
from dagy_runtime.values import Event

_BATCH: Final = 25  # what one DynamoDB batch write takes
_WAITING: Final = 2000  # at most, while the store does not answer
_TRIES: Final = 3
_LOG: Final = logging.getLogger("dagy.engine.events")


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
        if len(self._waiting) % _BATCH == 0:
            self.try_flush()

    def add_to_last(self, data: Mapping[str, Any]) -> None:
        """Tell more with the event added last, without a write of its own. Nothing, when that is written already."""
        if self._waiting:
            last = self._waiting[-1]
            self._waiting[-1] = replace(last, data={**last.data, **data})

    def flush(self) -> None:
        """Make what was added durable. Raises: Unavailable, after several tries; it waits for the next flush then."""
        for _ in range(_TRIES - 1):
            with suppress(Unavailable):
                self._write()
                return
        self._write()

    def try_flush(self) -> None:
        """As `flush`, once; a store that does not answer is no reason to stop, before far too many events wait."""
        try:
            self._write()
        except Unavailable as error:
            if len(self._waiting) > _WAITING:
                raise
            _LOG.warning("events_not_flushed run_id=%s count=%d reason=%s", self._run_id, len(self._waiting), error)

    def _write(self) -> None:
        if self._waiting:
            self._ports.runs.append_events(self._waiting)
            self._waiting = []
