"""Questions about the graph of a flow's task runs. Everything is linear in tasks plus edges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from dagy.core.errors import DependencyCycleError


class Node(Protocol):
    """A task run: its id, and the ids of those it waits for."""

    @property
    def id(self) -> str: ...
    @property
    def depends_on(self) -> Sequence[str]: ...


def dependents(task_runs: Iterable[Node]) -> dict[str, list[str]]:
    """For every task run, the ids that wait for it, in the flow's order."""
    waiting: dict[str, list[str]] = {}
    for run in task_runs:
        waiting.setdefault(run.id, [])
        for parent in run.depends_on:
            waiting.setdefault(parent, []).append(run.id)
    return waiting


def topological_order(task_runs: Sequence[Node]) -> list[str]:
    """The ids in an order in which they can run; among those that could come next, the flow's order.

    Raises: DependencyCycleError with the ids of one cycle, or with the run whose parent does not exist.
    """
    ids = {run.id for run in task_runs}
    for run in task_runs:
        for parent in run.depends_on:
            if parent not in ids:
                raise DependencyCycleError((parent, run.id))
    awaited = {run.id: len(set(run.depends_on)) for run in task_runs}
    children = dependents(task_runs)
    ready = deque(run.id for run in task_runs if not awaited[run.id])
    order: list[str] = []
    while ready:
        current = ready.popleft()
        order.append(current)
        for child in dict.fromkeys(children[current]):
            awaited[child] -= 1
            if not awaited[child]:
                ready.append(child)
    if len(order) < len(task_runs):
        raise DependencyCycleError(_one_cycle(task_runs, set(order)))
    return order


def descendants(start: str, children: Mapping[str, Sequence[str]]) -> set[str]:
    """Everything that waits for `start`, directly or not; without `start` itself."""
    found: set[str] = set()
    stack = list(children[start])
    while stack:
        current = stack.pop()
        if current not in found:
            found.add(current)
            stack.extend(children[current])
    return found


def _one_cycle(task_runs: Sequence[Node], ordered: set[str]) -> tuple[str, ...]:
    """Walk parents among the runs left over: each has one that is left over too, so the walk must meet itself."""
    parents = {
        run.id: next(parent for parent in run.depends_on if parent not in ordered)
        for run in task_runs
        if run.id not in ordered
    }
    path: list[str] = []
    current = next(iter(parents))
    while current not in path:
        path.append(current)
        current = parents[current]
    return (*reversed(path[path.index(current) :]), path[-1])
