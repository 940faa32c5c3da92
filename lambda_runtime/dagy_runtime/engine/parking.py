"""A run that waits (for a retry's delay, say) belongs to its timer: a lease that nobody renews and that ends when the
timer is due.

So a redelivered message cannot start it early, and when the timer is lost, the reconciler finds a lease that has run
out, as it does after a crash.
"""

from __future__ import annotations

from typing import Final

from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Ports, Won
from dagy_runtime.values import Lease, Run

_PREFIX: Final = "parked-"
_EARLY_S: Final = 1.0
"""How much before the timer the lease ends: a timer may be a moment early by our clock, never a second."""


def is_parked(lease: Lease) -> bool:
    return lease.owner.startswith(_PREFIX)


def park(ports: Ports, run: Run, *, owner: str, message: AdvanceRun, wait_s: float) -> bool:
    """Give the run from `owner` to a timer that sends `message` in `wait_s` seconds. Whether that worked: when it did
    not, somebody else has the run by now.

    A repeat sets no second timer. After a crash in the middle the reconciler takes the timer's place.
    """
    now = ports.clock.now()
    ports.runs.release_lease(run.id, owner=owner)
    parked = ports.runs.claim_run(
        run.id, owner=f"{_PREFIX}{message.hop}", now=now, lease_s=max(wait_s - _EARLY_S, 0.0), hop=message.hop - 1
    )
    if not isinstance(parked, Won):
        return False
    ports.timers.to_runtime_at(run.size, message, at=now + wait_s, name=f"advance-{run.id}-{message.hop}")
    return True
