"""Functions of the emulator that nobody waits for: it would start a process for each at once, and answer nobody while a
wide flow begins. Here some run and the others wait their turn, as they do on AWS when all that may run are busy.

The emulator's own Python runs this, so it imports nothing of Dagy.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from ministack.services import lambda_svc

_AT_ONCE: Final = max(16, 8 * (os.cpu_count() or 1))
_waits_its_turn: Final = ContextVar("dagy_waits_its_turn", default=False)


def install() -> None:
    turns = threading.Semaphore(_AT_ONCE)
    invoke_async, execute = lambda_svc.invoke_async_with_retry, lambda_svc._execute_function

    def invoke_in_turn(function: Mapping[str, Any], event: Any) -> None:
        mark = _waits_its_turn.set(True)  # the thread that is started has a copy
        try:
            invoke_async(function, event)
        finally:
            _waits_its_turn.reset(mark)

    def execute_in_turn(function: Mapping[str, Any], event: Any) -> Any:
        if not _waits_its_turn.get():
            return execute(function, event)
        with turns:
            return execute(function, event)

    lambda_svc.invoke_async_with_retry, lambda_svc._execute_function = invoke_in_turn, execute_in_turn
