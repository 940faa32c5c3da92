"""Starting a run in a stage, and staying with it for as long as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagy.core.errors import APIError, RunFailed, WaitTimedOut
from dagy.core.sizes import parse_execution_modes
from dagy.core.states import Status
from dagy_cli.following import Follower, following
from dagy_cli.output import Output
from dagy_cli.run_sources import RemoteRuns, log_text, row
from dagy_cli.run_text import error_text
from dagy_cli.session import Session
from dagy_cli.watching import Ended, LeftOut, Patience, Planned, Seen, TaskChanged, Wrote, watch

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.client.models import RunResponse, TaskRunResponse


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether to stay until the run has ended, telling what happens or not; `timeout_s` None means for ever."""

    is_watched: bool = False
    is_waited_for: bool = False
    timeout_s: float | None = None


def run_remotely(
    session: Session,
    deployment: str,
    texts: Mapping[str, str],
    *,
    request: Mapping[str, Any],
    waiting: Waiting,
    idempotency_key: str | None,
) -> None:
    """Start a run of the deployment and write what became of it to stdout.

    Raises: RunFailed when it was waited for and did not succeed; WaitTimedOut, the run going on.
    """
    parse_execution_modes(tuple(request["execution_mode"] or ()))
    parameters = _parameters(session.client, deployment, texts)
    started = session.client.trigger_run(
        {"deployment": deployment, "parameters": parameters, **request}, idempotency_key=idempotency_key
    )
    tell(session, started, waiting)


def would_run_remotely(session: Session, deployment: str, texts: Mapping[str, str], modes: Sequence[str]) -> None:
    """Write what `run_remotely` would start, as far as the deployment tells."""
    parse_execution_modes(tuple(modes))
    parameters = _parameters(session.client, deployment, texts)
    found = session.client.get_deployment(deployment)
    flow = f"{found.flow_name}:{found.flow_version}"
    facts = {"deployment": found.name, "flow_name": found.flow_name, "flow_version": found.flow_version}
    session.out.dry_run({**facts, "parameters": {**found.parameters, **parameters}}, f"Would run {found.name}: {flow}")


def tell(session: Session, started: RunResponse, waiting: Waiting) -> None:
    """Write which run was started, and with `waiting` what becomes of it. Raises: what `stay` raises."""
    if not (waiting.is_watched or waiting.is_waited_for):
        session.out.item(row(started), text=f"Run triggered: {started.run_id}")
        session.out.next(f"dagy logs {started.run_id} --remote --follow")
        return
    if not session.settings.is_machine_read:
        session.out.answer(f"Run triggered: {started.run_id}")
    stay(session, started, waiting)


def stay(session: Session, run: RunResponse, waiting: Waiting) -> None:
    """Wait for the end of the run, and write what became of it to stdout.

    Raises: RunFailed when it did not succeed; WaitTimedOut, the run going on.
    """
    ended = _stay(session.out, session.client, run.run_id, run.deployment or run.flow_name, waiting)
    if session.settings.is_machine_read:
        session.out.item(RemoteRuns(session.client).show(ended.run_id))
    else:
        session.out.answer(f"Run completed: {ended.run_id} status={ended.status}")
    if ended.status != "SUCCEEDED":
        raise RunFailed(ended.run_id, ended.status, ended.error.message if ended.error else None)


def _parameters(client: DagyClient, deployment: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values that the texts mean to the deployment's flow."""
    if not texts:
        return {}
    from dagy.parameters import coerce_text  # a lazy door: it compiles schemas

    found = client.get_deployment(deployment)
    flow = client.get_flow(found.flow_name, found.flow_version)
    return coerce_text(flow.parameters, texts)


def _stay(out: Output, client: DagyClient, run_id: str, deployment: str, waiting: Waiting) -> RunResponse:
    events = watch(client, run_id, Patience(waiting.timeout_s), with_tasks=waiting.is_watched)
    try:
        with following(out, deployment) as follower:
            for seen in events:
                if isinstance(seen, Ended):
                    return seen.run
                _show(seen, out, follower, run_id)
    except KeyboardInterrupt:
        out.remark(f"\nThe run goes on. Stop it: dagy runs cancel {run_id} --remote")
        raise
    except (APIError, WaitTimedOut) as error:
        error.hint = (
            f"Run {run_id} goes on without this command: dagy runs show {run_id} --remote, "
            f"dagy logs {run_id} --remote --follow"
        )
        raise
    raise AssertionError("watching ends with the end of the run")


def _show(seen: Seen, out: Output, follower: Follower, run_id: str) -> None:
    match seen:
        case Planned(task_count):
            follower.run_began(run_id, task_count=task_count, kept_count=0)
        case TaskChanged(task):
            _pass_on(task, follower)
        case Wrote(line):
            out.remark(f"  {log_text(line)}")
        case LeftOut(count, is_all):
            more = "" if is_all else " or more"
            out.remark(f"  … {count:,} lines{more} left out here. All of them: dagy logs {run_id} --remote")


def _pass_on(task: TaskRunResponse, follower: Follower) -> None:
    follower.task_changed(
        task.task_run_id,
        Status(task.status),
        attempt=task.attempt,
        duration_s=task.duration_s,
        message=error_text(task.error.error_type, task.error.message) if task.error else "",
        at=(task.ended_at or task.started_at or "")[11:19],
    )
