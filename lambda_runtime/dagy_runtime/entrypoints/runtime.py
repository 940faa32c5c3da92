"""The Lambda handler of the six runtime functions: one message, one invocation's work on one run."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

from dagy.core.errors import InvalidInput
from dagy_runtime.adapters import aws
from dagy_runtime.engine.advance import Advanced, advance
from dagy_runtime.messages import AdvanceRun, from_json
from dagy_runtime.ports import Ports


class LambdaContext(Protocol):
    """What AWS passes beside the event, as far as it is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Any, context: LambdaContext) -> dict[str, str]:
    """Returning acknowledges the message. Raising has AWS deliver it again, twice, and then to the control function."""
    return {"advanced": repr(handle(_world(), event, context))}


def handle(ports: Ports, event: Any, context: LambdaContext) -> Advanced:
    """Raises: InvalidInput for anything but an `advance-run` message."""
    message = from_json(event)
    if not isinstance(message, AdvanceRun):
        raise InvalidInput(f"A runtime function does not know what to do with {type(message).__name__}")
    return advance(
        ports,
        message,
        time_left=lambda: context.get_remaining_time_in_millis() / 1000,
        request_id=context.aws_request_id,
    )


@cache
def _world() -> Ports:
    return aws.world(os.environ)
