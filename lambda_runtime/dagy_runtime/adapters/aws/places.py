"""Places of tasks in the table: what an invocation needs of a run's plan to run one task, and to release what waits.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.run_items import RunItems
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.plan import Place, Plan
from dagy_runtime.values import TaskRun

_KNOWN: Final = 1024


class DynamoPlaces:
    """What was read is remembered, as it never changes: the invocation asks for its own task again and again."""

    def __init__(self, table: Table, items: RunItems) -> None:
        self._table = table
        self._items = items
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Place] = OrderedDict()  # those used last

    def write(self, run_id: str, plan: Plan) -> None:
        """A repeat writes the same again."""
        places = [plan.place(id) for id in plan.tasks]
        parts = [
            places[start : start + schema.PLACES_PER_ITEM] for start in range(0, len(places), schema.PLACES_PER_ITEM)
        ]
        self._table.put_batch(
            (schema.places_key(run_id, part[0].task.position), self._items.of_places(run_id, part)) for part in parts
        )

    def find(self, run_id: str, task_run_id: str, *, position: int) -> Place | None:
        with self._lock:
            known = self._known.get((run_id, task_run_id))
        if known is None:
            item = self._table.get(schema.places_key(run_id, position))
            read = self._items.places(run_id, item) if item else []
            with self._lock:
                for place in read:
                    self._known[run_id, place.task.id] = place
                while len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
                known = self._known.get((run_id, task_run_id))
        return known if known is not None and known.task.position == position else None

    def known_task(self, run_id: str, task_run_id: str) -> TaskRun | None:
        """As it was planned, if it was asked for before."""
        with self._lock:
            place = self._known.get((run_id, task_run_id))
        return place.task if place is not None else None
