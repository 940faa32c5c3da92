"""The Lambda handler of the control function: schedules that fire, and the reconciler."""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from typing import Any, Final

from dagy.core.errors import InvalidInput
from dagy_runtime.adapters import aws
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.engine.submit import fire_schedule
from dagy_runtime.messages import FireSchedule, Reconcile, from_json
from dagy_runtime.ports import Ports

_LOG: Final = logging.getLogger("dagy.control")


def handler(event: Any, context: object) -> dict[str, str]:
    """Returning acknowledges the message; what it does on a repeat, each of the engine's functions says.

    Raises: InvalidInput for a message that nobody here knows. AWS tries it twice more, then puts it into the queue of
    dead letters, which has an alarm.
    """
    return {"did": handle(_world(), event)}


def handle(ports: Ports, event: Any) -> str:
    """What was done, in words."""
    try:
        message = from_json(event)
    except InvalidInput:
        _LOG.error("message_unknown %s", json.dumps(event, default=str)[:2000])
        raise
    match message:
        case FireSchedule():
            return repr(fire_schedule(ports, message))
        case Reconcile():
            return repr(reconcile(ports))
        case _:
            _LOG.error("message_misdirected kind=%s", type(message).__name__)
            raise InvalidInput(f"The control function does not know what to do with {type(message).__name__}")


@cache
def _world() -> Ports:
    return aws.world(os.environ)
