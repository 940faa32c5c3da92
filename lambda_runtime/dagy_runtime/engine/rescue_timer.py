"""The reconciler's timer: one per minute in which runs are open, none otherwise."""

from __future__ import annotations

from typing import Final

from dagy_runtime.messages import Reconcile
from dagy_runtime.ports import Ports

PERIOD_S: Final = 60
_LATE_S: Final = 3
"""So that what arms the next timer when this one is due is surely in the next minute, by whichever clock."""


def arm_reconciler(ports: Ports) -> None:
    """Have the reconciler look in about a minute.

    The timer is named after the minute in which it is armed, so a repeat in the same minute changes nothing: the first
    one's look is still to come.
    """
    now = ports.clock.now()
    ports.timers.to_control_at(Reconcile(), at=now + PERIOD_S + _LATE_S, name=f"reconcile-{int(now) // PERIOD_S}")
