"""Time and chance as the runner sees them, so that tests can have their own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any


class Wake:
    """A message that says nothing: the runner looks at everything again, and then waits anew."""


def wait_for_message(inbox: SimpleQueue[Any], timeout_s: float | None, running_count: int) -> Any | None:
    """The next message, or None when none came in time. Of the `running_count` attempts under way each will send
    one; without any, only a request of the run's `Control` could come.
    """
    try:
        return inbox.get(timeout=timeout_s)
    except Empty:
        return None


@dataclass(frozen=True, slots=True)
class Timing:
    """`monotonic` gives seconds, `wait` is `wait_for_message` or does as it does, `chance` is uniform in [0, 1)."""

    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[SimpleQueue[Any], float | None, int], Any | None] = wait_for_message
    chance: Callable[[], float] = random.random
