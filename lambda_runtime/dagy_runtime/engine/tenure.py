"""Holding a run: its lease is renewed while one works on it, and lost with a bang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Optional

from dagy.core.errors import Unavailable
from dagy_runtime.values import Lease

_RETRY_S: Final = 1.0


class LeaseLost(Exception):
    """The store says that the run is somebody else's by now, or final. Kill what runs, write nothing more."""


Renew = Callable[[], Optional[Lease]]
"""Asks the store for more time; the lease as it stands after, or None when it is somebody else's by now."""


class Tenure:
    """One invocation's claim on one run, or on one task of it.

    How long the lease is good is measured with `monotonic` from before each renewal was asked for, so a clock that
    jumps cannot make it seem longer.

    A lease that ran out while the store did not answer is nobody's: that raises Unavailable, so that AWS delivers the
    message again. Only LeaseLost means that somebody else will see the run to its end.
    """

    def __init__(
        self,
        renew: Renew,
        lease: Lease,
        *,
        claimed_at: float,
        lease_s: float,
        check_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._renew_in_store, self._monotonic = renew, monotonic
        self._lease_s, self._check_s = lease_s, check_s
        self.run_id, self.owner, self.flow_attempt = lease.run_id, lease.owner, lease.flow_attempt
        self.is_cancel_requested = lease.is_cancel_requested
        self._good_until = claimed_at + lease_s
        self._check_at = claimed_at + check_s
        self._trouble: LeaseLost | Unavailable | None = None

    def keep(self) -> None:
        """Renew when it is time to. A store that does not answer is asked again, for as long as the lease is good.

        Raises: LeaseLost; Unavailable when the lease ran out unanswered.
        """
        self._raise_trouble()
        if self._monotonic() >= self._check_at:
            self._renew()

    def confirm(self) -> None:
        """Before a write: if the lease may have run out unnoticed, find out first. Raises as `keep`."""
        self._raise_trouble()
        if self._monotonic() >= self._good_until:
            self._renew()

    def pulse(self) -> None:
        """As `keep`, in the middle of something that must not be interrupted: what is to be raised is raised by the
        next `keep` or `confirm`.
        """
        try:
            self.keep()
        except (LeaseLost, Unavailable) as trouble:
            self._trouble = trouble

    def end(self) -> None:
        """What was held has come to its end, and is stored: there is nothing more to keep."""
        self._check_at = self._good_until = float("inf")

    def prove(self) -> None:
        """Make sure that the run is still ours. Raises: LeaseLost; Unavailable when that cannot be known."""
        self._ask()

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _renew(self) -> None:
        asked_at = self._monotonic()
        try:
            self._ask()
        except Unavailable:
            if asked_at >= self._good_until:
                raise
            self._check_at = self._monotonic() + min(self._check_s, _RETRY_S)

    def _ask(self) -> None:
        asked_at = self._monotonic()
        lease = self._renew_in_store()
        if lease is None:
            raise LeaseLost(self.run_id)
        self.is_cancel_requested = self.is_cancel_requested or lease.is_cancel_requested
        self._good_until = asked_at + self._lease_s
        self._check_at = asked_at + self._check_s
