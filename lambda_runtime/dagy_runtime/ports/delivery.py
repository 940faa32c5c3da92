"""Starting something: now, later, again and again."""

from __future__ import annotations

from typing import Protocol

from dagy.core.sizes import Size
from dagy_runtime.messages import Message, RunTask
from dagy_runtime.values import ScheduleSpec


class Dispatcher(Protocol):
    """Start this now. Accepted messages are delivered at least once."""

    def to_runtime(self, size: Size, message: Message) -> None: ...

    def to_control(self, message: Message) -> None: ...


class Executions(Protocol):
    """Tasks as executions of one of the stage's state machines, which people can watch in AWS's console."""

    def start(self, size: Size, message: RunTask, *, name: str) -> None:
        """The task machine invokes the runtime function with this message, and again at any time that the answer names;
        the container machine starts a container that is given it. What cannot be delivered becomes a dead letter.
        `name` is for people; a repeat may start another.
        """


class Timers(Protocol):
    """Start this later."""

    def to_runtime_at(self, size: Size, message: Message, *, at: float, name: str) -> None:
        """Deliver at `at` (seconds since the epoch), at least once. A repeat of `name` (unique for 90 days)
        changes nothing.
        """

    def to_control_at(self, message: Message, *, at: float, name: str) -> None: ...


class Schedules(Protocol):
    """Start this again and again: one schedule per deployment."""

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        """Create or replace. Raises: InvalidInput when it cannot be honoured."""

    def delete(self, deployment: str) -> None:
        """A repeat, or one that was never there, is fine."""

    def get(self, deployment: str) -> tuple[ScheduleSpec, bool] | None:
        """What is set, and whether it is enabled."""
