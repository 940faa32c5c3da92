"""What a failing test shows: how every task ended, and everything about the one to blame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dagy.core.states import Status
from dagy.execution.failures import message_of

if TYPE_CHECKING:
    from dagy.testing.outcome import TestRun, TestTaskRun

_MOST_LISTED: Final = 20
_MOST_LINES: Final = 100


def of_run(run: TestRun[Any]) -> str:
    lines = [f"Flow '{run.flow_name}' {run.status} after {run.duration_s:g} s"]
    if run.error is not None:
        lines[0] += f": {_error_text(run.error)}"
    lines += _table(run)
    culprit = next((task for task in run.tasks if task.id == run.failed_task_id), None)
    if culprit is not None:
        lines += _log_of(culprit.id, culprit.log)
    elif run.log:
        lines += _log_of(f"flow '{run.flow_name}'", run.log)
    return "\n".join(lines)


def of_task(task: TestTaskRun) -> str:
    """`FAILED after 3 attempts: ValueError: no rows`"""
    text = str(task.status)
    if task.attempts > 1:
        text += f" after {task.attempts} attempts"
    if task.reason is not None:
        return f"{text}: {task.reason}"
    if task.failure is not None and task.status is not Status.SUCCEEDED:
        return f"{text}: {_named(task.failure.error_type, task.failure.message)}"
    return text


def listed(ids: Iterable[str]) -> str:
    every = list(ids)
    more = f" and {len(every) - _MOST_LISTED} more" if len(every) > _MOST_LISTED else ""
    return (", ".join(every[:_MOST_LISTED]) or "none") + more


def classes(error: type[BaseException] | tuple[type[BaseException], ...]) -> str:
    return " or ".join(each.__qualname__ for each in (error if isinstance(error, tuple) else (error,)))


def _table(run: TestRun[Any]) -> list[str]:
    """All that did not simply succeed, and of the others as many as there is room for."""
    shown = list(run.tasks)
    if len(shown) > _MOST_LISTED:
        remarkable = [task for task in shown if task.status is not Status.SUCCEEDED or task.attempts > 1]
        shown = remarkable[:_MOST_LISTED] or shown[:_MOST_LISTED]
    width = max((len(task.id) for task in shown), default=0)
    rows = [f"  {task.id:<{width}}  {of_task(task)}" for task in shown]
    left = len(run.tasks) - len(shown)
    return [*rows, f"  ({left} more)"] if left else rows


def _log_of(title: str, log: str) -> list[str]:
    lines = log.split("\n")
    cut = len(lines) - _MOST_LINES
    if cut > 0:
        lines = [f"({cut} lines before)", *lines[cut:]]
    return ["", f"--- log of {title} ---", *lines]


def _error_text(error: BaseException) -> str:
    return _named(type(error).__qualname__, message_of(error))


def _named(error_type: str, message: str) -> str:
    return message if message.startswith(error_type) else f"{error_type}: {message}"
