"""What decorators are given, checked where it is written: a wrong setting fails on import, naming its value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from dagy.authoring.hooks import HookFunction
from dagy.core.errors import InvalidFlow, InvalidInput
from dagy.core.names import checked_name
from dagy.core.sizes import Executor


def checked_identity(kind: str, fn: Callable[..., Any], name: str | None) -> str:
    """The name given, else the function's own. Raises: InvalidFlow."""
    if not callable(fn):
        raise InvalidFlow(f"@{kind} decorates a function, got {fn!r}", f"Settings go by name: @{kind}(name=...).")
    chosen = name if name is not None else getattr(fn, "__name__", type(fn).__name__)
    if not isinstance(chosen, str):
        raise InvalidFlow(f"name must be text, got {chosen!r}")
    return _checked(f"{kind} name", chosen)


def checked_version(version: str | None) -> str | None:
    if version is not None and not isinstance(version, str):
        raise InvalidFlow(f"version must be text, got {version!r}", f'Write version="{version}".')
    return version if version is None else _checked("flow version", version)


def checked_description(description: str | None, fn: Callable[..., Any]) -> str | None:
    """The text given, else the function's docstring."""
    if description is not None and not isinstance(description, str):
        raise InvalidFlow(f"description must be text, got {description!r}")
    return description if description is not None else inspect.getdoc(fn)


def checked_executor(executor: str | None) -> str | None:
    if executor is None:
        return None
    if isinstance(executor, str) and executor in Executor._value2member_map_:
        return str(Executor(executor))
    known = ", ".join(f'"{known}"' for known in Executor)
    raise InvalidFlow(f"executor must be one of {known}, got {executor!r}")


def checked_timeout(timeout_seconds: float | None) -> float | None:
    if timeout_seconds is None:
        return None
    is_number = isinstance(timeout_seconds, (int, float)) and not isinstance(timeout_seconds, bool)
    if not is_number or not 0 < timeout_seconds < float("inf"):
        raise InvalidFlow(f"timeout_seconds must be a number above 0, got {timeout_seconds!r}")
    return float(timeout_seconds)


def checked_concurrency(concurrency_limit: int | None) -> int | None:
    if concurrency_limit is None:
        return None
    is_whole = isinstance(concurrency_limit, int) and not isinstance(concurrency_limit, bool)
    if not is_whole or concurrency_limit < 1:
        raise InvalidFlow(f"concurrency_limit must be a whole number of 1 or more, got {concurrency_limit!r}")
    return concurrency_limit


def checked_flag(setting: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise InvalidFlow(f"{setting} must be True or False, got {value!r}")
    return value


def checked_hooks(setting: str, hooks: Iterable[HookFunction] | None) -> tuple[HookFunction, ...]:
    if hooks is None:
        return ()
    if not isinstance(hooks, (list, tuple)):
        raise InvalidFlow(f"{setting} must be a list of hooks, got {hooks!r}", f"Write {setting}=[...].")
    for hook in hooks:
        if isinstance(hook, type):
            raise InvalidFlow(f"{setting} needs hooks, got the class {hook.__name__}", f"Write {hook.__name__}().")
        if not callable(hook):
            raise InvalidFlow(f"{setting} needs functions of (context, state), got {hook!r}")
    return tuple(hooks)


def _checked(kind: str, value: str) -> str:
    try:
        return checked_name(kind, value)
    except InvalidInput as error:
        raise InvalidFlow(error.message, error.hint) from None
