"""The Lambda handler of the function that runtime functions, and the control function, send their failures to.

A flow can call it, since its runtime may; so it takes nothing but failures, and has no right to start anything.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from dagy.core.errors import InvalidInput
from dagy_runtime.adapters import aws
from dagy_runtime.engine.dead_letters import bury, is_failure_event, parse_failure_event
from dagy_runtime.ports import Ports


def handler(event: Any, context: object) -> dict[str, str]:
    """A repeat keeps a second letter and changes no run."""
    return {"did": handle(_world(), event)}


def handle(ports: Ports, event: Any) -> str:
    """What was done, in words. Raises: InvalidInput for what is no failure."""
    if not is_failure_event(event):
        raise InvalidInput("This function takes what Lambda sends about a message it gave up on, and nothing else")
    return repr(bury(ports, parse_failure_event(event)))


@cache
def _world() -> Ports:
    return aws.world(os.environ)
