"""What the functions of a stage send each other. JSON objects with a version and a kind; unknown ones are
refused by name.

Delivery is at least once and in any order, so every handler says what a repeat does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Union

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from dagy.core.errors import InvalidInput
from dagy.core.sizes import Executor

VERSION: Final = 1


class AdvanceRun(Struct, frozen=True, forbid_unknown_fields=True):
    """To a runtime function: take this run as far as your time allows. `hop` counts the run's invocations, from 0;
    `parked_as` names the lease that keeps the run for this message, when a timer sends it.
    """

    run_id: str
    hop: int = 0
    parked_as: str | None = None


class RunTask(Struct, frozen=True, forbid_unknown_fields=True):
    """To a runtime function: this task is ready, run it. A repeat finds it taken, or done.

    `position` is the task's in the flow's order, by which its place in the plan is found.
    """

    run_id: str
    task_run_id: str
    position: int


class ReleaseTasks(Struct, frozen=True, forbid_unknown_fields=True):
    """To a runtime function: send these ready tasks on their way, so that whoever released them need not alone.

    `tasks` are ids and positions, all of one executor.
    """

    run_id: str
    tasks: tuple[tuple[str, int], ...]
    executor: Executor = Executor.LAMBDA


class FireSchedule(Struct, frozen=True, forbid_unknown_fields=True):
    """To the control function, from EventBridge Scheduler: this deployment's nominal time has come.

    `scheduled_at` is ISO 8601. An emulator that does not fill it in leaves the literal placeholder; then the
    schedule's latest nominal time not after now is meant.
    """

    deployment: str
    scheduled_at: str


class StartRun(Struct, frozen=True, forbid_unknown_fields=True):
    """To the control function, from whatever the stage's owner gave the right to invoke it: run this deployment.

    The same `idempotency_key` makes one run however often it comes. Without one the delivery's own id is the key, which
    is the same when Lambda tries again, and another when the sender does.
    """

    deployment: str
    parameters: dict[str, Any] = {}
    idempotency_key: str | None = None


class Reconcile(Struct, frozen=True, forbid_unknown_fields=True):
    """To the control function: look for open runs that nobody advances, and send them on their way again."""


Message = Union[AdvanceRun, RunTask, ReleaseTasks, FireSchedule, StartRun, Reconcile]

KINDS: Final[Mapping[str, type]] = {
    "advance-run": AdvanceRun,
    "run-task": RunTask,
    "release-tasks": ReleaseTasks,
    "fire-schedule": FireSchedule,
    "start-run": StartRun,
    "reconcile": Reconcile,
}


def to_json(message: Message) -> dict[str, Any]:
    kind = next(kind for kind, cls in KINDS.items() if isinstance(message, cls))
    return {"v": VERSION, "kind": kind, **asdict(message)}


def from_json(data: Any) -> Message:
    """Raises: InvalidInput saying what about `data` makes no sense."""
    if not isinstance(data, dict) or data.get("v") != VERSION or data.get("kind") not in KINDS:
        raise InvalidInput(f"Not a message of this version: {str(data)[:200]}")
    fields = {key: value for key, value in data.items() if key not in ("v", "kind")}
    try:
        return msgspec.convert(fields, KINDS[data["kind"]])
    except msgspec.ValidationError as error:
        raise InvalidInput(f"Malformed '{data['kind']}' message: {error}") from error
