"""Calling the author's hooks. What a hook raises is logged and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dagy.authoring.hooks import HookFunction, RunContext
from dagy.core.states import State
from dagy.execution.capture import Sink
from dagy.execution.failures import failure_of


def call_hooks(hooks: Iterable[HookFunction], context: RunContext, state: State, *, log: Sink) -> None:
    """In the order given. Even a hook that tries to end the process cannot."""
    for hook in hooks:
        try:
            hook(context, state)
        except BaseException as error:
            name = getattr(hook, "__qualname__", type(hook).__qualname__)
            log.line("ERROR", f"Hook {name} failed and was ignored\n{failure_of(error).traceback}")


def named_arguments(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by the names of the parameters, defaults included."""
    try:
        bound = inspect.signature(fn).bind(*args, **kwargs)
    except (TypeError, ValueError):  # some built-ins have no signature
        return dict(kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)
