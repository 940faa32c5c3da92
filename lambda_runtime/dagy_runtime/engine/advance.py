"""The runtime function's part: take a run, work on it, and acknowledge the message.

A repeat of a message finds a run that is final, or leased to the invocation that the first one started, and does
nothing; or it finds one whose invocation died, and goes on where that stopped. The message is acknowledged by
returning, when everything is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Union

from msgspec import Struct

from dagy.core.errors import DagyError
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.invocation import Finished, HandedOver, Invocation, LookedAfter
from dagy_runtime.engine.logs import LogWriter, to_stdout
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.parking import claim_for
from dagy_runtime.engine.run_limits import leave
from dagy_runtime.engine.tenure import LeaseLost, Tenure
from dagy_runtime.engine.workshop import ForkedWorkshop, Workshop
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Lost, Ports
from dagy_runtime.values import Lease

_LOG: Final = logging.getLogger("dagy.engine.advance")


class Ignored(Struct, frozen=True):
    """Nothing was done. `reason`: `run_unknown`, `run_final` or `run_leased`."""

    reason: str


class Abandoned(Struct, frozen=True):
    """The store said that the run had become somebody else's, or final, while we worked on it. The child was killed,
    and nothing more written.
    """


__all__ = ["advance", "Advanced", "Ignored", "Finished", "HandedOver", "LookedAfter", "Abandoned"]

Advanced = Union[Ignored, Finished, HandedOver, LookedAfter, Abandoned]

_REAL_PACING: Final = Pacing()


def advance(
    ports: Ports,
    message: AdvanceRun,
    *,
    time_left: Callable[[], float],
    request_id: str = "",
    pacing: Pacing = _REAL_PACING,
    console: Callable[[str], object] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    workshop: Workshop | None = None,
) -> Advanced:
    """Take the run as far as the function's time allows.

    `time_left` gives the seconds until AWS ends this invocation. `request_id` marks the lease, so that the dead
    letter of this message can tell its own lease from another's. `console` gets every log line as JSON.

    Raises: Unavailable, or anything unforeseen. The child is dead then and the lease given back, so that the repeat
    of the message goes on at once; or it runs out, when the store does not answer.
    """
    total_s = time_left()
    claimed_at = monotonic()
    owner = f"{request_id}/{ports.ids.unique()}"
    claim = claim_for(ports, message, owner=owner, lease_s=pacing.lease_s)
    if isinstance(claim, Lost):
        if claim.run is not None and claim.run.status.is_final:
            leave(ports, claim.run)  # whoever ended it may have died before
        return _ignored(message, claim)

    def renew() -> Lease | None:
        now = ports.clock.now()
        return ports.runs.renew_lease(message.run_id, owner=owner, now=now, lease_s=pacing.lease_s)

    tenure = Tenure(
        renew,
        claim.lease,
        claimed_at=claimed_at,
        lease_s=pacing.lease_s,
        check_s=pacing.check_s,
        monotonic=monotonic,
    )
    logs = LogWriter(
        ports.blobs,
        ports.clock,
        run_id=message.run_id,
        hop=claim.run.hops - 1,  # not the message's: an old one, delivered again, begins nothing before what is there
        invocation=owner.rpartition("/")[2],
        console=console or to_stdout,
    )
    invocation = Invocation(
        ports,
        claim.run,
        tenure,
        logs,
        EventLog(ports, message.run_id),
        pacing,
        workshop or ForkedWorkshop(ports.blobs),
    )
    try:
        return invocation.carry_out(time_left=time_left, total_s=total_s, monotonic=monotonic)
    except LeaseLost:
        _LOG.warning("lease_lost run_id=%s owner=%s", message.run_id, owner)
        _leave(ports, message.run_id)
        return Abandoned()
    except BaseException:
        with suppress(DagyError):
            logs.close()
        with suppress(DagyError):
            ports.runs.release_lease(message.run_id, owner=owner)
        raise


def _leave(ports: Ports, run_id: str) -> None:
    """A run that ended while it was being planned may have got tasks after its end; asking for a cancel that comes too
    late settles them.
    """
    run = ports.runs.get_run(run_id)
    if run is not None and run.status.is_final:
        ports.runs.request_cancel(run_id)


def _ignored(message: AdvanceRun, claim: Lost) -> Ignored:
    reason = "run_unknown"
    if claim.run is not None:
        reason = "run_final" if claim.run.status.is_final else "run_leased"
    _LOG.warning("message_ignored run_id=%s hop=%d reason=%s", message.run_id, message.hop, reason)
    return Ignored(reason)
