"""The plan of a run: its task runs as traced, who waits for whom, and where waiting tasks meet. Pure.

A task with two or three parents needs nothing more than these: whoever has ended looks whether the others have, and the
last one sees that they have. (Two may see it: a task that is released twice is claimed once.)

A task with more, and the end of the run, is a *join*: parents report their arrival, and whoever brings the last one
goes on. Arrivals are kept as sets, so that a repeat changes nothing; a set holds at most 64 members, and wider joins
are trees of sets, so that an arrival costs the same however wide the join is. A set that nobody has arrived at need not
exist, so nothing is written for joins when a run is planned.

Whoever runs one task needs its `Place` only, which says where it leads: what a task costs does not grow with its flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from msgspec import Struct

from dagy.core.sizes import Executor
from dagy_runtime.values import TaskRun

FEW: Final = 3
"""Parents that are looked at rather than counted: reading two states costs less than half of one write."""
FAN_IN: Final = 64
END: Final = "$end"
"""The join that every task arrives at which nothing waits for. No task can be named so: their ids end in -<n>."""


class Stop(Struct, frozen=True):
    """One set on the way of an arrival: `member` of the `size` that `node` awaits."""

    node: str
    member: int
    size: int


def way_to(target: str, member: int, members: int) -> Iterator[Stop]:
    """The sets that member number `member` of `members` arrives at, from the leaf to the root; each only when the one
    before it is full. None for a join of one.
    """
    level = 0
    while members > 1:
        node, place = divmod(member, FAN_IN)
        size = min(FAN_IN, members - node * FAN_IN)
        yield Stop(f"{target}#{level}.{node}", place, size)
        member, members, level = node, -(-members // FAN_IN), level + 1


class Placed(Protocol):
    """A task as messages name it: its id, and its position in the flow's order, by which its place is found. And what
    is to carry it out.
    """

    @property
    def id(self) -> str: ...

    @property
    def position(self) -> int: ...

    @property
    def executor(self) -> Executor: ...


class Exit(Struct, frozen=True):
    """A task that waits for this one, which is number `member` of the `members` that it waits for. `others` are the
    rest of these when they are few; else they meet at its join.
    """

    id: str
    position: int
    member: int
    members: int
    others: tuple[str, ...] = ()
    executor: Executor = Executor.LAMBDA

    def way(self) -> Iterator[Stop]:
        """Where the parent arrives before this task may run."""
        return way_to(self.id, self.member, self.members)


class Place(Struct, frozen=True):
    """One task in the plan, and where it leads: to the tasks that wait for it, in the flow's order, or to the end.

    `end` is its number among the tasks nothing waits for, and how many these are; None when something waits for it.
    """

    task: TaskRun  # as it was planned
    exits: tuple[Exit, ...] = ()
    end: tuple[int, int] | None = None

    def way_to_end(self) -> Iterator[Stop]:
        """Empty, too, for the only task that leads to the end."""
        return way_to(END, *self.end) if self.end is not None else iter(())


class Plan:
    """The task runs of a run in the flow's order, as they were planned: how they stand is the store's to say."""

    def __init__(self, tasks: Sequence[TaskRun]) -> None:
        self.tasks = {task.id: task for task in tasks}
        self._children: dict[str, list[str]] = {task.id: [] for task in tasks}
        self._places: dict[tuple[str, str], int] = {}
        for task in tasks:
            for place, parent in enumerate(task.depends_on):
                self._children[parent].append(task.id)
                self._places[parent, task.id] = place
        self.roots = tuple(task.id for task in tasks if not task.depends_on)
        self._sinks = {id: place for place, id in enumerate(id for id in self.tasks if not self._children[id])}

    def place(self, id: str) -> Place:
        exits = tuple(self._exit(id, child) for child in self._children[id])
        return Place(self.tasks[id], exits, (self._sinks[id], len(self._sinks)) if id in self._sinks else None)

    def _exit(self, parent: str, child: str) -> Exit:
        task = self.tasks[child]
        parents = task.depends_on
        others = tuple(id for id in parents if id != parent) if len(parents) <= FEW else ()
        return Exit(child, task.position, self._places[parent, child], len(parents), others, task.executor)

    def descendants(self, id: str) -> list[str]:
        """All that waits for it, directly or not, in the flow's order."""
        found: set[str] = set()
        waiting = list(self._children[id])
        while waiting:
            child = waiting.pop()
            if child not in found:
                found.add(child)
                waiting += self._children[child]
        return [child for child in self.tasks if child in found]
