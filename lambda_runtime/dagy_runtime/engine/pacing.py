"""How long things take in one invocation: leases, checks, and the margins at the end of the function's time."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Pacing(Struct, frozen=True):
    """The engine's own times and limits. Tests shorten them; a stage runs with these.

    The lease is renewed every `check_s`, which is also how fast a cancel is seen: 5 seconds, because people watch it
    happen, and 180 renewals in 15 minutes cost a ten-thousandth of a dollar. It leaves a lease of 30 seconds five
    renewals to miss before it is somebody else's.
    """

    lease_s: float = 30.0
    check_s: float = 5.0
    flush_s: float = 2.0  # how old log lines and events grow before readers can see them
    cancel_grace_s: float = 2.0  # for the flow to end by itself before it is killed
    exit_grace_s: float = 1.0  # from a child's last word to its end
    longest_wait_s: float = 2.0  # a longer wait is a timer's, and costs nothing meanwhile
    max_hops: int = 2000  # invocations per run: AWS's own protection against endless chains is switched off
    max_deaths: int = 3  # of the whole function while one task ran


IN_A_CONTAINER: Final = Pacing(longest_wait_s=60.0)
"""Another container takes that long to start, and the one that waits is paid for."""
CONTAINER_TIME_S: Final = 24 * 3600.0
"""What a task has in a container that asks for no timeout of its own: one that hangs is not paid for until noticed."""


def drain_margin_s(total_s: float) -> float:
    """How long before its end an invocation stops starting tasks: a tenth of its time, 20 to 60 seconds, never more
    than half of it.
    """
    return min(max(20.0, min(60.0, total_s / 10)), total_s / 2)


def kill_margin_s(total_s: float) -> float:
    """How long before its end an invocation kills what still runs, to have time to write that down and hand over."""
    return drain_margin_s(total_s) / 4
