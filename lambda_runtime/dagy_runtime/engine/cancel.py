"""Ending a run because somebody asked for it."""

from __future__ import annotations

from dagy.core.errors import NotFound
from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.engine.parking import is_parked
from dagy_runtime.engine.run_ends import tell_end
from dagy_runtime.engine.run_limits import leave
from dagy_runtime.ports import Ports
from dagy_runtime.values import Run


def cancel_run(ports: Ports, run_id: str) -> Run:
    """Ask for the end of a run; the run as it stands after.

    A run that no invocation advances is CANCELLED when this returns. One that is being advanced is still RUNNING, with
    a flag that the shell around its process sees within seconds; it kills the process and ends the run. A run that is
    final stays as it is, and so does a repeat's.

    Raises: NotFound.
    """
    run = ports.runs.request_cancel(run_id)
    if run is None:
        raise NotFound("run", run_id)
    if run.status.is_final:
        leave(ports, run)
        return run
    lease = ports.runs.get_lease(run_id)
    # Between two invocations a run that waits is leased to its timer, which needs no process to be killed.
    owner = lease.owner if lease is not None and is_parked(lease) else None
    now = to_iso(ports.clock.now())
    # No invocation has a run whose tasks are isolated. Those of its tasks see within seconds that it has ended.
    is_whoevers = run.isolation is Isolation.TASK_ISOLATED
    ended = ports.runs.finish_run(run_id, owner=owner, status=Status.CANCELLED, ended_at=now, is_whoevers=is_whoevers)
    if ended is not None:
        tell_end(ports, ended)
        leave(ports, ended)
        return ended
    return ports.runs.get_run(run_id) or run
