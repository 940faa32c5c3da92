"""Hooks: what an author wants done when a task or flow starts, ends, fails or is tried again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dagy.core.states import State


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a hook is told about where it was called. `kind` is `task` or `flow`; `attempt` counts from 1, and goes up
    to `max_retries` + 1. `parameters` are the arguments by name, results filled in, converted, defaults included.
    """

    kind: str
    name: str
    attempt: int
    max_retries: int
    parameters: Mapping[str, Any]


class Hook(ABC):
    """Base class for hooks that carry settings. A plain function with the same two arguments is a hook too.

    What a hook raises is logged and changes nothing about the run.
    """

    @abstractmethod
    def __call__(self, context: RunContext, state: State) -> Any: ...


HookFunction = Callable[[RunContext, State], Any]
