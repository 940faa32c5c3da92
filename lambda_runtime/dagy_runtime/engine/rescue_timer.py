"""The reconciler's timer: one per minute in which runs are open, none otherwise."""

from __future__ import annotations

from typing import Final

from dagy_runtime.messages import Reconcile
from dagy_runtime.ports import Ports

PERIOD_S: Final = 60


def arm_reconciler(ports: Ports) -> None:
    """Have the reconciler look at the end of the next whole period, so 60 to 120 seconds from now.

    A repeat within the same period changes nothing: the timer's name is the period's number.
    """
    bucket = int(ports.clock.now()) // PERIOD_S + 1
    ports.timers.to_control_at(Reconcile(), at=float((bucket + 1) * PERIOD_S), name=f"reconcile-{bucket}")
