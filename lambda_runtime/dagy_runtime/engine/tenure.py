"""Holding a run: its lease is renewed while one works on it, and lost with a bang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dagy.core.errors import Unavailable
from dagy_runtime.ports import Clock, RunStore
from dagy_runtime.values import Lease

_RETRY_S: Final = 1.0


class LeaseLost(Exception):
    """The run is somebody else's by now. Kill what runs, write nothing more."""


class Tenure:
    """One invocation's claim on one run.

    How long the lease is good is measured with `monotonic` from before each renewal was asked for, so a clock that
    jumps cannot make it seem longer.
    """

    def __init__(
        self,
        runs: RunStore,
        clock: Clock,
        lease: Lease,
        *,
        claimed_at: float,
        lease_s: float,
        check_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._runs, self._clock, self._monotonic = runs, clock, monotonic
        self._lease_s, self._check_s = lease_s, check_s
        self.run_id, self.owner = lease.run_id, lease.owner
        self.is_cancel_requested = lease.is_cancel_requested
        self._good_until = claimed_at + lease_s
        self._check_at = claimed_at + check_s

    def keep(self) -> None:
        """Renew when it is time to. A store that does not answer is asked again, for as long as the lease is good.

        Raises: LeaseLost.
        """
        if self._monotonic() >= self._check_at:
            self._renew()

    def confirm(self) -> None:
        """Before a write: if the lease may have run out unnoticed, find out first. Raises: LeaseLost."""
        if self._monotonic() >= self._good_until:
            self._renew()

    def _renew(self) -> None:
        asked_at = self._monotonic()
        try:
            lease = self._runs.renew_lease(self.run_id, owner=self.owner, now=self._clock.now(), lease_s=self._lease_s)
        except Unavailable:
            if asked_at >= self._good_until:
                raise LeaseLost(self.run_id) from None
            self._check_at = asked_at + min(self._check_s, _RETRY_S)
            return
        if lease is None:
            raise LeaseLost(self.run_id)
        self.is_cancel_requested = self.is_cancel_requested or lease.is_cancel_requested
        self._good_until = asked_at + self._lease_s
        self._check_at = asked_at + self._check_s
