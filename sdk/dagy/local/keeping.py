"""Which finished tasks of a run stay finished when it is resumed, and why the others run. Pure but for asking whether
a stored result can be read.

A task is kept when it succeeded, its code and its arguments are the same as then, and every task it waits for is
kept. A kept result that a task which runs, or the flow's return value, needs must be readable; if it is not, its task
runs too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from dagy.core.states import Status
from dagy.core.task_code import TaskCode, changed_code
from dagy.local.history import INTERRUPTED, LocalTaskRun

_MOST_TOLD = 20
_NOT_FINISHED = {
    Status.FAILED: "it failed",
    Status.SKIPPED: "it was skipped",
    Status.CANCELLED: "it had not finished",
}


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task run as it is known to one execution: `arguments` as `dagy.local.arguments` tells them, empty when they
    cannot be compared.
    """

    task_name: str
    depends_on: tuple[str, ...]
    arguments: str
    code: TaskCode | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """All tasks of the run in the flow's order, with why each runs; None for those that are kept."""

    reasons: Mapping[str, str | None]
    task_names: Mapping[str, str]

    @property
    def kept(self) -> list[str]:
        return [id for id, reason in self.reasons.items() if reason is None]

    @property
    def again(self) -> dict[str, str]:
        return {id: reason for id, reason in self.reasons.items() if reason is not None}

    def told(self) -> list[str]:
        """For people: `extract-1 kept`, `clean-1 runs again: its code changed (flow.py:34)`. Neighbours of one task
        that fare the same are one line.
        """
        lines = []
        for (_, reason), group in groupby(self.reasons.items(), lambda item: (self.task_names[item[0]], item[1])):
            ids = [id for id, _ in group]
            who = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]} ({len(ids):,})"
            lines.append(f"{who} {_verdict(reason, len(ids))}")
        if len(lines) <= _MOST_TOLD:
            return lines
        rest = f"{len(self.kept):,} kept in all, {len(self.again):,} to run"
        return [*lines[:_MOST_TOLD], f"and {len(lines) - _MOST_TOLD:,} more: {rest}"]


def decide_keeping(
    before: Mapping[str, KnownTask],
    now: Mapping[str, KnownTask],
    recorded: Mapping[str, LocalTaskRun],
    *,
    in_output: frozenset[str],
    unreadable: Callable[[str], str | None],
) -> Keeping:
    """`now` is in the flow's order. `unreadable` says why the stored result of a task cannot be used; each is asked for
    once at most.
    """
    reasons: dict[str, str | None] = {}
    for id, task in now.items():
        reasons[id] = _reason(before.get(id), task, recorded.get(id)) or _upstream(task, reasons)
    needed = [id for id, reason in reasons.items() if reason is None and id in in_output]
    needed += _needed_by([id for id, reason in reasons.items() if reason is not None], now)
    children = _children(now)
    asked: set[str] = set()
    while needed:
        id = needed.pop()
        if id in asked or reasons[id] is not None:
            continue
        asked.add(id)
        problem = unreadable(id)
        if problem is not None:
            reasons[id] = problem
            needed += _needed_by([id, *_run_downstream(id, children, reasons)], now)
    return Keeping(reasons, {id: task.task_name for id, task in now.items()})


def _reason(before: KnownTask | None, now: KnownTask, recorded: LocalTaskRun | None) -> str | None:
    """Why it cannot be kept, whatever the tasks before it do."""
    if before is None or recorded is None or before.task_name != now.task_name:
        return "it is new"
    if recorded.status is not Status.SUCCEEDED:
        return "it was interrupted" if recorded.error_type == INTERRUPTED else _not_finished(recorded)
    if not (before.arguments and now.arguments):
        return "its arguments cannot be compared"
    changed = changed_code(before.code, now.code) if now.code else "its code is not known"
    if changed is not None:
        return changed
    return None if before.arguments == now.arguments else "its arguments changed"


def _not_finished(recorded: LocalTaskRun) -> str:
    return _NOT_FINISHED.get(recorded.status, "it had not finished")


def _upstream(task: KnownTask, reasons: Mapping[str, str | None]) -> str | None:
    first = next((parent for parent in task.depends_on if reasons[parent] is not None), None)
    return None if first is None else f"{first} does"


def _needed_by(ids: list[str], now: Mapping[str, KnownTask]) -> Iterator[str]:
    for id in ids:
        yield from now[id].depends_on


def _children(now: Mapping[str, KnownTask]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {id: [] for id in now}
    for id, task in now.items():
        for parent in task.depends_on:
            children[parent].append(id)
    return children


def _run_downstream(id: str, children: Mapping[str, list[str]], reasons: dict[str, str | None]) -> list[str]:
    """Everything that waits for a task, directly or not, runs with it. Returns: what was to be kept until now."""
    found = []
    queue = [id]
    while queue:
        parent = queue.pop()
        for child in children[parent]:
            if reasons[child] is None:
                reasons[child] = f"{parent} does"
                found.append(child)
                queue.append(child)
    return found


def _verdict(reason: str | None, count: int) -> str:
    if reason is None:
        return "kept"
    if reason == "it is new":
        return "run: they are new" if count > 1 else "runs: it is new"
    return f"{'run' if count > 1 else 'runs'} again: {reason}"
