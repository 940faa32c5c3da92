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
        self._last: Event | None = None

    def add(
        self,
        type: str,
        *,
        task_run_id: str | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self._waiting.append(self._new(type, task_run_id, attempt, data or {}))
        if len(self._waiting) % _BATCH == 0:
            self.try_flush()

    def add_last(self, type: str, *, task_run_id: str, attempt: int, data: Mapping[str, Any]) -> None:
        """As `add`, but only `flush` writes it, and until then `add_to_last` tells more with it, which is no write."""
        self._last = self._new(type, task_run_id, attempt, data)

    def add_to_last(self, data: Mapping[str, Any]) -> None:
        if self._last is not None:
            self._last = replace(self._last, data={**self._last.data, **data})

    def _new(self, type: str, task_run_id: str | None, attempt: int | None, data: Mapping[str, Any]) -> Event:
        at = to_iso(self._ports.clock.now())
        return Event(self._run_id, self._ports.ids.unique(), at, type, task_run_id, attempt, dict(data))

    def flush(self) -> None:
        """Make what was added durable. Raises: Unavailable, after several tries; it waits for the next flush then."""
        if self._last is not None:
            self._waiting.append(self._last)
            self._last = None
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
