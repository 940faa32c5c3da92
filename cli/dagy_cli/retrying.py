"""What a retry will keep of a run that did not succeed, as far as the run itself tells: for people, beforehand.

The stage decides when the new run is traced: with other code or parameters it keeps less.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dagy.client.models import TaskRunResponse

_MOST_TOLD: Final = 20
_WHY: Final = {"FAILED": "it failed", "SKIPPED": "it was skipped"}


def reasons_to_run(tasks: Iterable[TaskRunResponse]) -> dict[str, str | None]:
    """By task run, in the flow's order; None for those whose results are kept."""
    reasons: dict[str, str | None] = {}
    for task in tasks:
        reason = None if task.status == "SUCCEEDED" else _WHY.get(task.status, "it had not finished")
        again = next((parent for parent in task.depends_on if reasons.get(parent) is not None), None)
        reasons[task.task_run_id] = reason or (f"{again} does" if again is not None else None)
    return reasons


def told(reasons: dict[str, str | None]) -> list[str]:
    """Neighbours of one task that fare the same are one line."""
    lines = []
    for (_, reason), group in groupby(reasons.items(), lambda item: (item[0].rpartition("-")[0], item[1])):
        ids = [id for id, _ in group]
        who = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]} ({len(ids):,})"
        verb = "runs" if len(ids) == 1 else "run"
        lines.append(f"{who} kept" if reason is None else f"{who} {verb} again: {reason}")
    if len(lines) <= _MOST_TOLD:
        return lines
    kept = sum(reason is None for reason in reasons.values())
    rest = f"{kept:,} kept in all, {len(reasons) - kept:,} to run"
    return [*lines[:_MOST_TOLD], f"and {len(lines) - _MOST_TOLD:,} more: {rest}"]
