"""What is going on around a call: which trace is listening, and whether a flow's module is just being imported."""

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

# Set to the file while a flow's module is imported to find the flow in it: nothing may run then.
IMPORTING: Final[ContextVar[str | None]] = ContextVar("dagy_importing", default=None)
