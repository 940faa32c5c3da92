"""All tasks of a run as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dagy_runtime.ports import Ports
from dagy_runtime.values import TaskRun

_PAGE: Final = 500


def tasks_of(ports: Ports, run_id: str) -> Iterator[TaskRun]:
    """In the flow's order, page by page."""
    cursor: str | None = None
    while True:
        page = ports.runs.list_tasks(run_id, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
