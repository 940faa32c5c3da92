"""A run that waits (for a retry's delay, say) belongs to its timer: a lease that nobody renews, in a name that only the
timer's message knows.

So no other message can start it early, and when the timer is lost, the reconciler finds a lease that has run out, as
it does after a crash.
"""

from __future__ import annotations

from typing import Final

from dagy_runtime.engine.rescue_timer import PERIOD_S
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Claim, Lost, Ports, Won
from dagy_runtime.values import Lease, Run

_PREFIX: Final = "parked-"
_GRACE_S: Final = float(PERIOD_S)
"""How much longer than the timer the lease lasts: its message may be late, and no rescue shall come before it."""


def is_parked(lease: Lease) -> bool:
    return lease.owner.startswith(_PREFIX)


def park(ports: Ports, run: Run, *, owner: str, hop: int, wait_s: float, flow_attempt: int) -> bool:
    """Give the run from `owner` to a timer that starts invocation `hop` in `wait_s` seconds. Whether that worked: when
    it did not, somebody else has the run by now.

    After a crash in the middle the reconciler takes the timer's place.
    """
    now = ports.clock.now()
    token = ports.ids.unique()
    message = AdvanceRun(run.id, hop=hop, parked_as=f"{_PREFIX}{token}")
    ports.runs.release_lease(run.id, owner=owner, flow_attempt=flow_attempt)
    parked = ports.runs.claim_run(
        run.id, owner=f"{_PREFIX}{token}", now=now, lease_s=wait_s + _GRACE_S, hop=run.hops - 1
    )
    if not isinstance(parked, Won):
        return False
    ports.timers.to_runtime_at(run.size, message, at=now + wait_s, name=f"advance-{run.id}-{hop}-{token}")
    return True


def claim_for(ports: Ports, message: AdvanceRun, *, owner: str, lease_s: float) -> Claim:
    """Claim the run that the message is about; from its timer, if it was parked for this very message."""
    now = ports.clock.now()
    claim = ports.runs.claim_run(message.run_id, owner=owner, now=now, lease_s=lease_s, hop=message.hop)
    if isinstance(claim, Lost) and claim.lease is not None and claim.lease.owner == message.parked_as:
        ports.runs.release_lease(message.run_id, owner=claim.lease.owner)
        claim = ports.runs.claim_run(message.run_id, owner=owner, now=now, lease_s=lease_s, hop=message.hop)
    return claim
