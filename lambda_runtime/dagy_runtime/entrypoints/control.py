"""The Lambda handler of the control function: schedules that fire, runs that messages ask for, and the reconciler."""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from typing import Any, Final

from dagy.core.errors import InvalidInput
from dagy_runtime.adapters import aws
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.engine.submit import fire_schedule, start_run
from dagy_runtime.messages import FireSchedule, Reconcile, StartRun, from_json
from dagy_runtime.ports import Ports

_LOG: Final = logging.getLogger("dagy.control")


def handler(event: Any, context: Any) -> dict[str, str]:
    """Returning acknowledges the message; what it does on a repeat, each of the engine's functions says.

    Raises: InvalidInput for a message that nobody here knows. AWS tries it twice more, then it becomes a dead letter,
    which has an alarm.
    """
    return {"did": handle(_world(), event, delivery_id=context.aws_request_id)}


def handle(ports: Ports, event: Any, *, delivery_id: str = "") -> str:
    """What was done, in words. `delivery_id` is the same when Lambda delivers an event again."""
    try:
        message = from_json(event)
    except InvalidInput:
        _LOG.error("message_unknown %s", json.dumps(event, default=str)[:2000])
        raise
    match message:
        case FireSchedule():
            return repr(fire_schedule(ports, message))
        case StartRun():
            return repr(start_run(ports, message, delivery_id=delivery_id))
        case Reconcile():
            return repr(reconcile(ports))
        case _:
            _LOG.error("message_misdirected kind=%s", type(message).__name__)
            raise InvalidInput(f"The control function does not know what to do with {type(message).__name__}")


@cache
def _world() -> Ports:
    return aws.world(os.environ)
