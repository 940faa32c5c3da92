"""Telling of a run's end, after it: each task that the end has cancelled, and then the end itself."""

from __future__ import annotations

from collections.abc import Iterator

from dagy.core.states import Status
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.stored_tasks import tasks_of
from dagy_runtime.ports import Ports
from dagy_runtime.values import Run


def tell_end(ports: Ports, ended: Run, *, reason: str | None = None) -> None:
    """Of a run that nobody was executing. What a crash leaves untold stays so; the statuses have it.

    Raises: Unavailable.
    """
    events = EventLog(ports, ended.id)
    add_cancelled(events, ports, ended)
    add_end(events, ended.status, reason)
    events.flush()


def add_cancelled(events: EventLog, ports: Ports, ended: Run) -> None:
    """Tell of the tasks that were open when the run ended. Raises: Unavailable."""
    for id in _cancelled_with(ports, ended):
        events.add("task_cancelled", task_run_id=id, data={"reason": f"The run ended {ended.status}"})


def add_end(events: EventLog, status: Status, reason: str | None) -> None:
    events.add(f"run_{status.value.lower()}", data={"reason": reason} if reason else {})


def _cancelled_with(ports: Ports, ended: Run) -> Iterator[str]:
    for task in tasks_of(ports, ended.id):
        if task.status is Status.CANCELLED and task.ended_at == ended.ended_at:
            yield task.id
