"""The Lambda handler of the six runtime functions: one message, one invocation's work on one run."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

from dagy.core.errors import InvalidInput
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters import aws
from dagy_runtime.engine.advance import Advanced, advance
from dagy_runtime.engine.isolated.release import Released, release_tasks
from dagy_runtime.engine.isolated.task import Passed, Ran, RanTask, run_task
from dagy_runtime.messages import AdvanceRun, ReleaseTasks, RunTask, from_json
from dagy_runtime.ports import Ports


class LambdaContext(Protocol):
    """What AWS passes beside the event, as far as it is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Any, context: LambdaContext) -> dict[str, str | None]:
    """Returning acknowledges the message. Raising has AWS deliver it again, twice, and then to the failures function.

    The answer is for the task machine, if that is who invokes: an execution goes on at `again_at` (ISO 8601, or null),
    and ends as the `status` of its task.
    """
    return answer(handle(_world(), event, context))


def answer(done: Advanced | RanTask | Released) -> dict[str, str | None]:
    at = again_at(done)
    return {
        "advanced": repr(done),
        "status": done.status.value if isinstance(done, Ran) else None,
        "again_at": to_iso(at) if at is not None else None,
    }


def again_at(done: Advanced | RanTask | Released) -> float | None:
    return done.again_at if isinstance(done, (Ran, Passed)) else None


def handle(ports: Ports, event: Any, context: LambdaContext) -> Advanced | RanTask | Released:
    """Raises: InvalidInput for a message that is for another function."""
    message = from_json(event)
    request_id = context.aws_request_id

    def time_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    match message:
        case AdvanceRun():
            return advance(ports, message, time_left=time_left, request_id=request_id)
        case RunTask():
            return run_task(ports, message, time_left=time_left, request_id=request_id)
        case ReleaseTasks():
            return release_tasks(ports, message)
    raise InvalidInput(f"A runtime function does not know what to do with {type(message).__name__}")


@cache
def _world() -> Ports:
    return aws.world(os.environ)
