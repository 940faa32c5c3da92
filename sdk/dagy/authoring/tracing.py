"""Tracing: run a flow's body once, note which tasks it calls with what, and make a plan of it."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, Final

from dagy.authoring.active import LISTENING
from dagy.authoring.source import place_of, tell_line
from dagy.authoring.tasks import Task
from dagy.core.errors import InvalidFlow
from dagy.core.graph import topological_order
from dagy.core.refs import LEAVES, TaskOutput, refs_in, to_json
from dagy.core.spec import TaskRunSpec

_LAZY: Final = (GeneratorType, map, filter, zip, enumerate, reversed)


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One call of a task in a flow's body, with the live arguments it was given."""

    id: str
    task: Task[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    depends_on: tuple[str, ...]

    @property
    def spec(self) -> TaskRunSpec:
        return TaskRunSpec(
            id=self.id,
            task_name=self.task.name,
            depends_on=list(self.depends_on),
            args=[to_json(value) for value in self.args],
            kwargs={name: to_json(value) for name, value in self.kwargs.items()},
        )


@dataclass(slots=True)
class Trace:
    """What a flow's body has called so far. Ids are `<task name>-<n>`, n counting that task's calls from 1."""

    calls: dict[str, TaskCall] = field(default_factory=dict)
    tasks: dict[str, Task[..., Any]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def note_call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskOutput:
        known = self.tasks.get(task.name)
        if known is None:
            _refuse_generator(task)
            self.tasks[task.name] = task
        elif known is not task:
            raise InvalidFlow(
                f"Two tasks of the flow are named '{task.name}': {place_of(known.fn)} and {place_of(task.fn)}",
                "Give one of them another name: @task(name=...).",
            )
        inner = [value for value in (*args, *kwargs.values()) if type(value) not in LEAVES]
        _refuse_lazy(task, inner)
        self._counts[task.name] = number = self._counts.get(task.name, 0) + 1
        awaited = dict.fromkeys(ref.task_run_id for ref in refs_in(inner)) if inner else ()
        call = TaskCall(f"{task.name}-{number}", task, args, kwargs, tuple(awaited))
        self.calls[call.id] = call
        return TaskOutput(call.id)


def traced(body: Callable[[], Any]) -> tuple[Trace, Any]:
    """The calls `body` makes, and what it returns: live data with `TaskOutput` where results will stand.

    Raises: whatever `body` raises, InvalidFlow with the line that is wrong; DependencyCycleError when a call waits for
    a task run of another trace; InvalidFlow when the body, or data it passes on, contains itself.
    """
    trace = Trace()
    token = LISTENING.set(trace)
    try:
        output = body()
        topological_order(list(trace.calls.values()))
        deque(refs_in(output), maxlen=0)  # walked to its end: data that contains itself has none
    except InvalidFlow as error:
        tell_line(error)
        raise
    except RecursionError as error:
        endless = InvalidFlow("The flow never ends: it calls itself without end, or passes data that contains itself")
        tell_line(endless.with_traceback(error.__traceback__))
        raise endless from error
    finally:
        LISTENING.reset(token)
    return trace, output


def _refuse_generator(task: Task[..., Any]) -> None:
    plain = inspect.unwrap(task.fn)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise InvalidFlow(
            f"Task '{task.name}' ({place_of(plain)}) is a generator, whose result cannot be stored",
            "Return a list instead of yielding.",
        )


def _refuse_lazy(task: Task[..., Any], values: Sequence[Any]) -> None:
    """A generator's body would run inside the task, when nobody listens to the task calls in it any more."""
    for value in values:
        if isinstance(value, _LAZY):
            raise InvalidFlow(
                f"Task '{task.name}' was given a {type(value).__name__}, whose items do not exist yet",
                "Make a list of it first: [... for ... in ...].",
            )
