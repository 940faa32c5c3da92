"""Processes that user code left behind and that left their group, so that killing the group did not reach them.

A daemon does that on purpose, and a browser or a JVM started by a library by the way. In a warm function it would live
on beside the next flow.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from dagy_runtime.worker.kernel import adopt_orphans

_ROUNDS: Final = 100
_LIVING: Final[set[int]] = set()
"""The children that `ChildProcess` objects of this process still look after; several only in tests."""


def ready_for_orphans() -> frozenset[int]:
    """Call before each fork. Gives the children there are already, which are none of the new one's business."""
    adopt_orphans()
    return _children()


def watch_over(pid: int) -> None:
    """Say that `pid` was forked and is no orphan, until `bury_orphans`."""
    _LIVING.add(pid)


def bury_orphans(pid: int, *, others: frozenset[int]) -> None:
    """Kill and reap what the dead child `pid` left behind. `others` is what `ready_for_orphans` gave.

    An orphan became this process's own child, and is told from one that was started here by its session, which is not
    ours. Killing one may bring its own children here, so this looks until there are none.
    """
    _LIVING.discard(pid)
    for _ in range(_ROUNDS):
        orphans = [child for child in _children() - others - _LIVING if _is_orphan(child)]
        if not orphans:
            return
        for orphan in orphans:
            _end(orphan)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _is_orphan(pid: int) -> bool:
    try:
        return os.getsid(pid) != os.getsid(0)
    except ProcessLookupError:
        return False


def _children() -> frozenset[int]:
    ours = str(os.getpid())
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if fields[1] == ours:
            found.add(int(path.parent.name))
    return frozenset(found)
