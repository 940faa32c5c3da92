"""Which trace, if any, is listening to the task calls made here."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, Protocol

from dagy.core.refs import TaskOutput


class Listener(Protocol):
    def note_call(self, task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskOutput:
        """Add a call of `task` to the plan. Raises: InvalidFlow when it cannot be one."""


# A context variable: other threads, and so running tasks, do not see the trace.
LISTENING: Final[ContextVar[Listener | None]] = ContextVar("dagy_trace", default=None)
