"""What a container of the stage runs: one task, and then it ends. The executor `ecs`.

It ends with 0 when all that is to be written is, also that the task failed; otherwise the container machine starts
another. Told to end, which Fargate does half a minute before it kills, it gives the task back.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from dagy.core.errors import DagyError, InvalidInput
from dagy_runtime.adapters import aws
from dagy_runtime.engine.isolated.task import RanTask, Stopped, run_task
from dagy_runtime.engine.pacing import CONTAINER_TIME_S, IN_A_CONTAINER
from dagy_runtime.messages import RunTask, from_json
from dagy_runtime.ports import Ports

DONE: Final = 0
FAILED: Final = 1
STOPPED: Final = 128 + signal.SIGTERM

_LOG: Final = logging.getLogger("dagy.container")


def main(environ: Mapping[str, str] = os.environ) -> int:
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("dagy").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _stop)
    try:
        done = handle(aws.world(environ), read_message(environ), request_id=environ.get("DAGY_EXECUTION", ""))
    except Stopped:
        _LOG.warning("container_stopped")
        return STOPPED
    except DagyError as error:
        _LOG.error("container_failed %s: %s", type(error).__name__, error)
        return FAILED
    except Exception:
        _LOG.exception("container_failed")
        return FAILED
    _LOG.info("container_done %r", done)
    return DONE


def handle(ports: Ports, message: RunTask, *, request_id: str = "", **how: Any) -> RanTask:
    began = time.monotonic()
    return run_task(
        ports,
        message,
        time_left=lambda: CONTAINER_TIME_S - (time.monotonic() - began),
        request_id=request_id,
        is_container=True,
        **{"pacing": IN_A_CONTAINER, **how},
    )


def read_message(environ: Mapping[str, str]) -> RunTask:
    """Raises: InvalidInput."""
    try:
        message = from_json(json.loads(environ.get("DAGY_MESSAGE", "")))
    except ValueError as error:
        raise InvalidInput("DAGY_MESSAGE is no JSON", "The container machine sets it.") from error
    if not isinstance(message, RunTask):
        raise InvalidInput(f"A container does not know what to do with {type(message).__name__}")
    return message


def _stop(signal_number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
