"""Messages that wait in a list until a test, or the simulation, delivers them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec import Struct

from dagy.core.sizes import Size
from dagy_runtime.messages import Message
from dagy_runtime.ports import Clock


class Delivery(Struct, frozen=True):
    """A message and whom it is for: the runtime function of `size`, or the control function when that is None."""

    message: Message
    size: Size | None
    at: float | None = None  # timers only: not before
    name: str | None = None  # timers only


Handler = Callable[[Delivery], object]


class MemoryDispatcher:
    """`sent` has every message since the beginning, in order; `waiting` those not delivered yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: list[Delivery] = []
        self.waiting: list[Delivery] = []

    def to_runtime(self, size: Size, message: Message) -> None:
        self._add(Delivery(message, size))

    def to_control(self, message: Message) -> None:
        self._add(Delivery(message, None))

    def deliver_all(self, handler: Handler) -> int:
        """Deliver in order until nothing waits, including what the handler itself sends. How many it were.

        A handler's exception passes through; its message counts as delivered.
        """
        delivered = 0
        while delivery := self._take():
            handler(delivery)
            delivered += 1
        return delivered

    def _add(self, delivery: Delivery) -> None:
        with self._lock:
            self.sent.append(delivery)
            self.waiting.append(delivery)

    def _take(self) -> Delivery | None:
        with self._lock:
            return self.waiting.pop(0) if self.waiting else None


class MemoryTimers:
    """`set_timers` has every timer since the beginning, in order; `waiting` those not delivered yet, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.set_timers: list[Delivery] = []
        self.waiting: dict[str, Delivery] = {}

    def to_runtime_at(self, size: Size, message: Message, *, at: float, name: str) -> None:
        self._add(Delivery(message, size, at, name))

    def to_control_at(self, message: Message, *, at: float, name: str) -> None:
        self._add(Delivery(message, None, at, name))

    def next_at(self) -> float | None:
        """When the next one is due: advance the clock to there."""
        with self._lock:
            return min((timer.at for timer in self.waiting.values() if timer.at is not None), default=None)

    def deliver_due(self, handler: Handler) -> int:
        """Deliver what is due by the clock, earliest first, including what the handler itself sets. How many."""
        delivered = 0
        while delivery := self._take_due():
            handler(delivery)
            delivered += 1
        return delivered

    def _add(self, delivery: Delivery) -> None:
        with self._lock:
            if delivery.name is not None and delivery.name not in {timer.name for timer in self.set_timers}:
                self.set_timers.append(delivery)
                self.waiting[delivery.name] = delivery

    def _take_due(self) -> Delivery | None:
        now = self._clock.now()
        with self._lock:
            due = [timer for timer in self.waiting.values() if timer.at is not None and timer.at <= now]
            if not due:
                return None
            first = min(due, key=lambda timer: timer.at or 0.0)
            return self.waiting.pop(first.name or "")
