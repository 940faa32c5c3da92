"""Where every task run of one flow run stands, and which may start next. It decides; it knows no clock and no thread.

Each change costs time in proportion to the dependents it touches, so a run is linear in tasks plus edges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from enum import Enum, auto
from typing import Final

from dagy.core.errors import DependencyCycleError
from dagy.execution.recorder import Finished


class Stand(Enum):
    """Of one task run. The last four are final."""

    WAITING = auto()  # for a parent
    READY = auto()
    RUNNING = auto()
    DELAYED = auto()  # it failed and will be tried again, after some time
    PARKED = auto()  # it failed and will be tried again when the whole flow is
    SUCCEEDED = auto()
    FAILED = auto()
    SKIPPED = auto()
    CANCELLED = auto()


_FINAL: Final = frozenset({Stand.SUCCEEDED, Stand.FAILED, Stand.SKIPPED, Stand.CANCELLED})


class Progress:
    """The task runs of one run.

    `parents` holds for each, parents first, whom it waits for. `limits` says of some to which group they belong and
    how many of that group may run at once. `in_output` are those whose results the flow returns. What an earlier
    execution settled stays settled.

    Raises: DependencyCycleError when one waits for itself, or for one that does not come before it.
    """

    def __init__(
        self,
        parents: Mapping[str, Collection[str]],
        *,
        finished: Finished,
        limits: Mapping[str, tuple[object, int]],
        in_output: Collection[str] = (),
    ) -> None:
        self.running_count = 0
        self._parents = parents
        self._limits = limits
        self._free: dict[object, int] = dict(limits.values())
        self._held_up: dict[object, deque[str]] = {group: deque() for group in self._free}
        self._ready: deque[str] = deque()
        self._parked: list[str] = []
        self._children = _children_of(parents)
        self._stands = {id: _stand_after(finished, id) for id in parents}
        self._open_count = sum(stand not in _FINAL for stand in self._stands.values())
        self._awaited: dict[str, int] = {}
        self._needed_by = {id: int(id in in_output) for id in parents}
        for id, stand in self._stands.items():
            awaited = sum(self._stands[parent] is not Stand.SUCCEEDED for parent in parents[id])
            self._awaited[id] = awaited
            if stand is Stand.WAITING:
                for parent in parents[id]:
                    self._needed_by[parent] += 1
                if not awaited:
                    self._make_ready(id)

    @property
    def is_settled(self) -> bool:
        """Every task run is final."""
        return self._open_count == 0

    @property
    def has_ready(self) -> bool:
        """`take` would give one."""
        return bool(self._ready)

    @property
    def has_parked(self) -> bool:
        return bool(self._parked)

    def stand(self, id: str) -> Stand:
        return self._stands[id]

    def take(self) -> str | None:
        """The next that may start, which then counts as running. None when nothing may start now."""
        if not self._ready:
            return None
        id = self._ready.popleft()
        self._stands[id] = Stand.RUNNING
        self.running_count += 1
        return id

    def put_back(self, id: str) -> None:
        """A running one that did not begin after all: it is the next again."""
        self._stands[id] = Stand.READY
        self.running_count -= 1
        self._ready.appendleft(id)

    def succeed(self, id: str) -> list[str]:
        """A running one succeeded. Returns those whose results nobody needs any more."""
        self._stop_running(id)
        for child in self._children[id]:
            self._awaited[child] -= 1
            if not self._awaited[child] and self._stands[child] is Stand.WAITING:
                self._make_ready(child)
        unneeded = self._finish(id, Stand.SUCCEEDED)
        if not self._needed_by[id]:
            unneeded.append(id)
        return unneeded

    def fail(self, id: str) -> list[str]:
        """A running one failed for good. Returns those whose results nobody needs any more."""
        self._stop_running(id)
        return self._finish(id, Stand.FAILED)

    def cancel(self, id: str) -> None:
        """A running one was given up."""
        self._stop_running(id)
        self._finish(id, Stand.CANCELLED)

    def delay(self, id: str) -> None:
        """A running one failed; it may start again after `due`."""
        self._stop_running(id)
        self._stands[id] = Stand.DELAYED

    def due(self, id: str) -> None:
        if self._stands[id] is Stand.DELAYED:
            self._make_ready(id)

    def park(self, id: str) -> None:
        """A running one failed in this attempt of the flow; it may start again after `unpark`."""
        self._stop_running(id)
        self._stands[id] = Stand.PARKED
        self._parked.append(id)

    def unpark(self) -> None:
        parked, self._parked = self._parked, []
        for id in parked:
            self._make_ready(id)

    def skip_dependents(self, failed: str) -> tuple[list[str], list[str]]:
        """Everything that waits for a failed one, directly or not, becomes skipped.

        Returns: what was skipped, nearest first; and those whose results nobody needs any more.
        """
        skipped: list[str] = []
        unneeded: list[str] = []
        queue = deque(self._children[failed])
        while queue:
            child = queue.popleft()
            if self._stands[child] is Stand.WAITING:
                unneeded += self._finish(child, Stand.SKIPPED)
                skipped.append(child)
                queue.extend(self._children[child])
        return skipped, unneeded

    def cancel_rest(self) -> Iterator[str]:
        """Every one that is neither running nor final becomes cancelled, in the flow's order."""
        self._ready.clear()
        for id, stand in self._stands.items():
            if stand is not Stand.RUNNING and stand not in _FINAL:
                self._finish(id, Stand.CANCELLED)
                yield id

    def _finish(self, id: str, stand: Stand) -> list[str]:
        self._stands[id] = stand
        self._open_count -= 1
        unneeded = []
        for parent in self._parents[id]:
            self._needed_by[parent] -= 1
            if not self._needed_by[parent] and self._stands[parent] is Stand.SUCCEEDED:
                unneeded.append(parent)
        return unneeded

    def _make_ready(self, id: str) -> None:
        self._stands[id] = Stand.READY
        if id in self._limits:
            group = self._limits[id][0]
            if not self._free[group]:
                self._held_up[group].append(id)
                return
            self._free[group] -= 1
        self._ready.append(id)

    def _stop_running(self, id: str) -> None:
        self.running_count -= 1
        if id not in self._limits:
            return
        group = self._limits[id][0]
        if self._held_up[group]:
            self._ready.append(self._held_up[group].popleft())
        else:
            self._free[group] += 1


def _children_of(parents: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for id, its_parents in parents.items():
        for parent in its_parents:
            if parent not in children:
                raise DependencyCycleError((parent, id))
            children[parent].append(id)
        children[id] = []
    return children


def _stand_after(finished: Finished, id: str) -> Stand:
    if id in finished.succeeded:
        return Stand.SUCCEEDED
    if id in finished.failed:
        return Stand.FAILED
    return Stand.SKIPPED if id in finished.skipped else Stand.WAITING
