"""What a test can ask for: tasks that fail, take their time, or do something else than they are written to do.

All of it happens inside the attempt: arguments are still converted and checked, hooks called, retries made and results
stored as ever.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar, Union

from dagy.authoring import Task, TaskCall, TracedFlow
from dagy.core.errors import InvalidInput
from dagy.execution.hooks import named_arguments
from dagy.testing.clock import FakeClock

Target = Union[str, "Task[..., Any]"]
"""A task, its name, or the id of one of its calls (`extract-2`)."""


class ForcedFailure(RuntimeError):
    """What `fail_task` raises unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Fails:
    target: str
    error: BaseException | type[BaseException]
    times: int | None


@dataclass(frozen=True, slots=True)
class TakesTime:
    target: str
    seconds: float
    times: int | None


@dataclass(frozen=True, slots=True)
class Replaced:
    target: str
    body: Callable[..., Any]


Change = Union[Fails, TakesTime, Replaced]
"""One entry of `given`. A change for one call goes before one of its kind for all calls of the task."""


def fail_task(
    task: Target, *, times: int | None = None, error: BaseException | type[BaseException] | None = None
) -> Change:
    """The first `times` attempts of each call raise `error` instead of running; without `times`, all do. Several for
    one task follow each other: `[fail_task("a", times=1, error=TimeoutError), fail_task("a", times=2)]`.
    """
    error = error if error is not None else ForcedFailure("Forced to fail")
    is_class = isinstance(error, type) and issubclass(error, BaseException)
    if not is_class and not isinstance(error, BaseException):
        raise InvalidInput(f"fail_task raises exceptions, got error={error!r}")
    return Fails(_target(task), error, _checked_times(times))


def slow_task(task: Target, seconds: float, *, times: int | None = None) -> Change:
    """The first `times` attempts of each call (without `times`, all) take so many seconds of the test's clock before
    they run. Beyond the task's `timeout_seconds` that is a timeout.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise InvalidInput(f"slow_task takes seconds of 0 or more, got {seconds!r}")
    return TakesTime(_target(task), float(seconds), _checked_times(times))


def with_result(task: Target, value: Any) -> Change:
    """The task gives `value` without running, in every call: the same object each time."""
    return Replaced(_target(task), lambda *args, **kwargs: value)


def with_body(task: Target, fn: Callable[..., Any]) -> Change:
    """`fn`, plain or `async`, runs in the place of the task's function, with the same arguments."""
    if not callable(fn):
        raise InvalidInput(f"with_body takes a function, got {fn!r}", "For a plain value: with_result(task, value).")
    return Replaced(_target(task), fn.fn if isinstance(fn, Task) else fn)


def changed(
    traced: TracedFlow, changes: Iterable[Change], *, clock: FakeClock, note: Callable[[str, Mapping[str, Any]], None]
) -> TracedFlow:
    """The same plan with tasks that behave as asked. `note` is told the arguments of every attempt that began.

    Raises: InvalidInput for a change of something the flow does not call, or asked for twice.
    """
    changes = tuple(changes)
    _check_targets(traced, changes)
    calls = {id: _changed_call(call, changes, clock, note) for id, call in traced.calls.items()}
    return replace(traced, calls=calls)


def _changed_call(
    call: TaskCall, changes: Sequence[Change], clock: FakeClock, note: Callable[[str, Mapping[str, Any]], None]
) -> TaskCall:
    failures, delays = _of_call(call, changes, Fails), _of_call(call, changes, TakesTime)
    bodies = _of_call(call, changes, Replaced)
    original = call.task.fn
    body = bodies[0].body if bodies else original
    numbers = count(1)

    @functools.wraps(original)
    def staged(*args: Any, **kwargs: Any) -> Any:
        number = next(numbers)
        note(call.id, named_arguments(original, args, kwargs))
        if (delay := _for_attempt(delays, number)) is not None:
            clock.sleep(delay.seconds)
        if (failure := _for_attempt(failures, number)) is not None:
            raise failure.error
        return body(*args, **kwargs)

    task = copy.copy(call.task)
    task.fn = staged
    return replace(call, task=task)


_Kind = TypeVar("_Kind", Fails, TakesTime, Replaced)


def _of_call(call: TaskCall, changes: Sequence[Change], kind: type[_Kind]) -> list[_Kind]:
    of_kind = [change for change in changes if isinstance(change, kind)]
    own = [change for change in of_kind if change.target == call.id]
    return own or [change for change in of_kind if change.target == call.task.name]


_Repeated = TypeVar("_Repeated", Fails, TakesTime)


def _for_attempt(changes: Sequence[_Repeated], number: int) -> _Repeated | None:
    """They follow each other, each for its number of times."""
    for change in changes:
        if change.times is None or number <= change.times:
            return change
        number -= change.times
    return None


def _check_targets(traced: TracedFlow, changes: Sequence[Change]) -> None:
    names = {call.task.name for call in traced.calls.values()}
    replaced: set[str] = set()
    for change in changes:
        if not isinstance(change, (Fails, TakesTime, Replaced)):
            raise InvalidInput(f"given takes what fail_task, slow_task, with_result or with_body give, got {change!r}")
        if change.target not in names and change.target not in traced.calls:
            known = ", ".join(sorted(names)) or "none"
            raise InvalidInput(
                f"Flow '{traced.flow.name}' called no task '{change.target}'", f"The tasks it called: {known}."
            )
        if isinstance(change, Replaced):
            if change.target in replaced:
                raise InvalidInput(f"Task '{change.target}' is replaced twice")
            replaced.add(change.target)


def _target(task: Target) -> str:
    if isinstance(task, Task):
        return task.name
    if not isinstance(task, str):
        raise InvalidInput(f"Name the task, or give the task itself; got {task!r}")
    return task


def _checked_times(times: int | None) -> int | None:
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise InvalidInput(f"times must be a whole number of 1 or more, got {times!r}", "Leave it out to mean always.")
    return times
