"""Time and chance as the runner sees them, so that tests can have their own."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

_LOOK_UP_S: Final = 0.5
"""Python runs the handler of a signal in its main thread, once that runs again. One that reaches the process through
another thread, or just before the main one blocks, does not wake it: without a bound Ctrl-C would go unheard.
"""


class Wake:
    """A message that says nothing: the runner looks at everything again, and then waits anew."""


def wait_for_message(inbox: SimpleQueue[Any], timeout_s: float | None, running_count: int) -> Any | None:
    """The next message, or None when none came in time. Of the `running_count` attempts under way each will send
    one; without any, only a request of the run's `Control` could come.
    """
    until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left_s = max(0.0, until_s - time.monotonic())
        try:
            return inbox.get(timeout=min(left_s, _LOOK_UP_S))
        except Empty:
            if left_s <= _LOOK_UP_S:
                return None


@dataclass(frozen=True, slots=True)
class Timing:
    """`monotonic` gives seconds, `wait` is `wait_for_message` or does as it does, `chance` is uniform in [0, 1)."""

    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[SimpleQueue[Any], float | None, int], Any | None] = wait_for_message
    chance: Callable[[], float] = random.random
