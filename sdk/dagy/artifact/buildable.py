"""Whether a flow can run elsewhere: what works in one process may not survive being imported in another."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagy.authoring.flows import Flow, TracedFlow
from dagy.authoring.source import file_of, place_of
from dagy.core.errors import InvalidFlow

_MOVE = "Move it to the top level of its module, with a name of its own."


def check_buildable(traced: TracedFlow) -> Path:
    """The file of the flow. Raises: InvalidFlow naming file and line."""
    flow = traced.flow
    source = file_of(flow.fn)
    if source is None:
        raise InvalidFlow(f"Flow '{flow.name}' has no source file", "Save it to a file: an artifact is made of files.")
    _check_place("Flow", flow.name, flow.fn)
    for task in {id(call.task): call.task for call in traced.calls.values()}.values():
        _check_place("Task", task.name, task.fn)
    return source


def entry_function(flow: Flow[..., Any]) -> str:
    """The name under which the flow stands in its module. Raises: InvalidFlow when it stands there under none."""
    home = sys.modules.get(flow.fn.__module__)
    globals_ = [vars(home) if home else {}, getattr(inspect.unwrap(flow.fn), "__globals__", {})]
    candidates = [name for names in globals_ for name, value in names.items() if value is flow]
    if not candidates:
        raise InvalidFlow(f"Flow '{flow.name}' ({place_of(flow.fn)}) is not in its module's globals", _MOVE)
    own = flow.fn.__name__
    return own if own in candidates else candidates[0]


def _check_place(kind: str, name: str, fn: Callable[..., Any]) -> None:
    qualname = getattr(fn, "__qualname__", "")
    if "<lambda>" in qualname or "<locals>" in qualname:
        what = "a lambda" if qualname.endswith("<lambda>") else "defined inside a function"
        raise InvalidFlow(f"{kind} '{name}' ({place_of(fn)}) is {what}, so it cannot be imported elsewhere", _MOVE)
