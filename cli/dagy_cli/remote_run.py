"""Starting a run in a stage, and staying with it for as long as asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dagy.core.errors import APIError, RunFailed, WaitTimedOut
from dagy.core.sizes import parse_execution_modes
from dagy_cli.output import Output
from dagy_cli.run_sources import RemoteRuns, log_text, row
from dagy_cli.run_text import error_text
from dagy_cli.session import Session
from dagy_cli.watching import Ended, LeftOut, Patience, TaskChanged, Wrote, watch

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.client.models import RunResponse, TaskRunResponse

_COLORS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow", "SKIPPED": "yellow", "RUNNING": "blue"}


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
    client = session.client
    parameters = _parameters(client, deployment, texts)
    started = client.trigger_run(
        {"deployment": deployment, "parameters": parameters, **request}, idempotency_key=idempotency_key
    )
    if not (waiting.is_watched or waiting.is_waited_for):
        session.out.item(row(started), text=f"Run triggered: {started.run_id}")
        session.out.remark(f"\n  Next:  dagy logs {started.run_id} --remote --follow")
        return
    if not session.settings.is_machine_read:
        session.out.answer(f"Run triggered: {started.run_id}")
    ended = _stay(session.out, client, started.run_id, waiting)
    if session.settings.is_machine_read:
        session.out.item(RemoteRuns(client).show(ended.run_id))
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


def _stay(out: Output, client: DagyClient, run_id: str, waiting: Waiting) -> RunResponse:
    try:
        for seen in watch(client, run_id, Patience(waiting.timeout_s), with_tasks=waiting.is_watched):
            match seen:
                case TaskChanged(task):
                    out.remark(_task_text(task))
                case Wrote(line):
                    out.remark(f"  {log_text(line)}")
                case LeftOut(count, is_all):
                    more = "" if is_all else " or more"
                    out.remark(f"  … {count:,} lines{more} left out here. All of them: dagy logs {run_id} --remote")
                case Ended(run):
                    return run
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


def _task_text(task: TaskRunResponse) -> str:
    at = (task.ended_at or task.started_at or "")[11:19]
    status = click.style(f"{task.status:<9}", fg=_COLORS.get(task.status))
    parts = [f"{at:<8} {status} {task.task_run_id}"]
    if task.attempt > 1:
        parts.append(f"attempt {task.attempt}")
    if task.duration_s is not None:
        parts.append(f"{task.duration_s:.2f}s")
    if task.error is not None:
        parts.append(error_text(task.error.error_type, task.error.message))
    return "  ".join(parts)
