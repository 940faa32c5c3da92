"""Runs: start, list, look into, cancel."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.names import checked_name
from dagy.core.sizes import DEFAULT_ISOLATION, DEFAULT_SIZE, ExecutionMode
from dagy.core.states import RUN_TRANSITIONS, Status
from dagy.core.timestamps import to_epoch, to_iso
from dagy.parameters import check_values
from dagy_runtime.api import views
from dagy_runtime.api.checks import LATEST, checked_tags, flow_to_use, no_deployment
from dagy_runtime.api.context import Already, Context
from dagy_runtime.api.pages import MAX_PAGE_BYTES, fitting
from dagy_runtime.api.queries import EventQuery, LogQuery, PageQuery, RunQuery
from dagy_runtime.api.settings import read_mode
from dagy_runtime.engine.cancel import cancel_run as engine_cancel
from dagy_runtime.engine.logs import read_logs
from dagy_runtime.engine.results import load_result
from dagy_runtime.engine.submit import submit_run
from dagy_runtime.ports import Creation, Existed, RunFilter
from dagy_runtime.values import Deployment, FlowVersion, ResultRef, Run, Trigger

MAX_WORKERS: Final = 64
MAX_VALUE_BYTES: Final = 1024 * 1024
URL_EXPIRES_S: Final = 15 * 60


class Submission(Struct, frozen=True):
    """What to run and how, checked but for its parameters."""

    flow: FlowVersion
    deployment: Deployment | None
    mode: ExecutionMode

    @property
    def defaults(self) -> Mapping[str, Any]:
        return self.deployment.parameters if self.deployment else {}


def create_run(ctx: Context, body: m.RunRequest) -> m.RunResponse | Already:
    creation = start(ctx, body, idempotency_key=ctx.idempotency_key)
    shown = views.run_view(creation.run)
    return Already(shown) if isinstance(creation, Existed) else shown


def start(ctx: Context, body: m.RunRequest, *, idempotency_key: str | None) -> Creation:
    """Raises: what `submission` and `submit_run` raise, and Conflict for a `retry_of` that is none to retry."""
    what = submission(ctx, body)
    return submit_run(
        ctx.ports,
        flow=what.flow,
        deployment=what.deployment,
        parameters=check_values(what.flow.spec.parameters, {**what.defaults, **body.parameters}),
        mode=what.mode,
        trigger=Trigger.MANUAL,
        requested_by=ctx.caller.id,
        idempotency_key=idempotency_key,
        fail_fast=body.fail_fast,
        max_workers=body.max_workers,
        tags=checked_tags(body.tags) if body.tags is not None else None,
        retry_of=_to_retry(ctx, body.retry_of, what.flow).id if body.retry_of is not None else None,
    )


def submission(ctx: Context, body: m.RunRequest) -> Submission:
    """Raises: InvalidInput or NotFound for what cannot be run so on this stage."""
    flow, deployment = _what_to_run(ctx, body)
    mode = read_mode(body.execution_mode)
    default = deployment.isolation if deployment else DEFAULT_ISOLATION
    ctx.offer.check_size(mode.size or (deployment.size if deployment else DEFAULT_SIZE))
    isolation = mode.isolation or default
    ctx.offer.check_settings(isolation, deployment.default_executor if deployment else None)
    ctx.offer.check_tasks(flow.spec, isolation)
    if not 1 <= body.max_workers <= MAX_WORKERS:
        raise InvalidInput(f"max_workers {body.max_workers} is out of range", f"1–{MAX_WORKERS}.")
    return Submission(flow, deployment, mode)


def _to_retry(ctx: Context, run_id: str, flow: FlowVersion) -> Run:
    """Raises: NotFound; Conflict for a run that goes on, or that succeeded; InvalidInput for one of another flow."""
    run = _run(ctx, run_id)
    if run.flow_name != flow.name:
        raise InvalidInput(
            f"Run '{run.id}' is of flow '{run.flow_name}', not of '{flow.name}'", "Leave retry_of out to start anew."
        )
    if not run.status.is_final:
        raise Conflict(f"Run '{run.id}' is {run.status}: it goes on by itself", "Wait for its end, or cancel it.")
    if run.status is Status.SUCCEEDED:
        raise Conflict(f"Run '{run.id}' succeeded: there is nothing to finish", "Leave retry_of out to start anew.")
    return run


def get_run(ctx: Context, *, run_id: str) -> m.RunResponse:
    run = _run(ctx, run_id)
    has_object = run.result is not None and run.result.key is not None
    return views.run_view(run, result_url=_url(ctx, run.result) if run.result and has_object else None)


def list_runs(ctx: Context, query: RunQuery) -> m.RunListResponse:
    where = run_filter(query)
    items, cursor = fitting(
        lambda limit: ctx.ports.runs.list_runs(limit=limit, cursor=query.cursor, where=where),
        views.run_view,
        query.limit,
    )
    return m.RunListResponse(items=items, next_cursor=cursor)


def run_filter(query: RunQuery) -> RunFilter:
    """Raises: InvalidInput for a name, status, trigger or time that is none."""
    if query.flow_name is not None:
        checked_name("flow name", query.flow_name)
    if query.deployment is not None:
        checked_name("deployment name", query.deployment)
    return RunFilter(
        flow_name=query.flow_name,
        deployment=query.deployment,
        statuses=tuple(dict.fromkeys(map(_status, query.status))),
        trigger=None if query.trigger is None else _trigger(query.trigger),
        created_after=_time(query.after),
        created_before=_time(query.before),
    )


def cancel_run(ctx: Context, *, run_id: str) -> m.RunResponse:
    """A repeat, or the cancel of a run that is final, changes nothing; the answer shows how it stands."""
    return views.run_view(engine_cancel(ctx.ports, _run(ctx, run_id).id))


def list_task_runs(ctx: Context, query: PageQuery, *, run_id: str) -> m.TaskRunListResponse:
    run = _run(ctx, run_id)
    items, cursor = fitting(
        lambda limit: ctx.ports.runs.list_tasks(run.id, limit=limit, cursor=query.cursor), views.task_view, query.limit
    )
    return m.TaskRunListResponse(items=items, next_cursor=cursor)


def list_events(ctx: Context, query: EventQuery, *, run_id: str) -> m.EventListResponse:
    if query.after is not None and not re.fullmatch("[0-9A-Za-z]{1,64}", query.after):
        raise InvalidInput(f"Invalid event id {query.after[:64]!r}", "The id of an event of this run.")
    run = _run(ctx, run_id)
    items, cursor = fitting(
        lambda limit: ctx.ports.runs.list_events(run.id, limit=limit, after=query.after), views.event_view, query.limit
    )
    return m.EventListResponse(items=items, next_cursor=cursor)


def get_logs(ctx: Context, query: LogQuery, *, run_id: str) -> m.LogResponse:
    run = _run(ctx, run_id)
    limit = query.limit
    while True:
        page = read_logs(ctx.ports, run, after=query.after, task_run_id=query.task_run_id, limit=limit)
        shown = views.log_view(page)
        if limit == 1 or len(msgspec.json.encode(shown)) <= MAX_PAGE_BYTES:
            return shown
        limit = max(1, limit // 4)


def get_result(ctx: Context, *, run_id: str) -> m.ResultResponse:
    """What the flow returned. Raises: Conflict while the run goes on; NotFound when it ended without a result."""
    run = _run(ctx, run_id)
    if not run.status.is_final:
        raise Conflict(f"Run '{run.id}' is {run.status}: it has no result yet", "Ask again when it has ended.")
    if run.result is None:
        raise NotFound("result", run.id, f"The run ended {run.status} and returned nothing.")
    return _result(ctx, run.result)


def get_task_result(ctx: Context, *, run_id: str, task_run_id: str) -> m.ResultResponse:
    """What one task returned. Raises: Conflict while it has not ended; NotFound when it ended without a result."""
    checked_name("run id", task_run_id)
    task = ctx.ports.runs.get_task(_run(ctx, run_id).id, task_run_id)
    if task is None:
        raise NotFound("task run", f"{task_run_id} of {run_id}", "The run's tasks have their ids.")
    if not task.status.is_final:
        raise Conflict(f"Task run '{task.id}' is {task.status}: it has no result yet", "Ask again when it has ended.")
    if task.result is None:
        raise NotFound("result", f"{task_run_id} of {run_id}", f"The task ended {task.status}.")
    return _result(ctx, task.result)


def _what_to_run(ctx: Context, body: m.RunRequest) -> tuple[FlowVersion, Deployment | None]:
    registry = ctx.ports.registry
    if body.deployment is not None:
        if body.flow_name is not None or body.flow_version is not None:
            raise InvalidInput("A run is of a deployment or of a flow, not of both", "Leave one of them out.")
        name = checked_name("deployment name", body.deployment)
        deployment = registry.get_deployment(name)
        if deployment is None:
            raise no_deployment(registry, name)
        return flow_to_use(registry, deployment.flow_name, deployment.flow_version), deployment
    if body.flow_name is None:
        raise InvalidInput("Nothing to run", "Give deployment, or flow_name and flow_version.")
    version = LATEST if body.flow_version is None else checked_name("flow version", body.flow_version)
    return flow_to_use(registry, checked_name("flow name", body.flow_name), version), None


def _run(ctx: Context, run_id: str) -> Run:
    run = ctx.ports.runs.get_run(checked_name("run id", run_id))
    if run is None:
        raise NotFound("run", run_id, "`dagy runs list --remote` shows those there are.")
    return run


def _status(word: str) -> Status:
    if word not in RUN_TRANSITIONS:
        raise InvalidInput(f"Unknown status {word[:50]!r}", f"One of {', '.join(RUN_TRANSITIONS)}.")
    return Status(word)


def _trigger(word: str) -> Trigger:
    if word not in Trigger._value2member_map_:
        raise InvalidInput(f"Unknown trigger {word[:50]!r}", f"One of {', '.join(Trigger)}.")
    return Trigger(word)


def _time(text: str | None) -> str | None:
    """In the form that is stored. Raises: InvalidInput."""
    return None if text is None else to_iso(to_epoch(text))


def _result(ctx: Context, ref: ResultRef) -> m.ResultResponse:
    value = None
    if views.is_readable(ref) and ref.size_bytes <= MAX_VALUE_BYTES:
        value = views.shown_value(load_result(ctx.ports.blobs, ref))
    return m.ResultResponse(
        codec=ref.codec,
        size_bytes=ref.size_bytes,
        sha256=ref.sha256,
        value=value,
        url=_url(ctx, ref) if value is None else None,
    )


def _url(ctx: Context, ref: ResultRef) -> str:
    if ref.key is not None:
        return ctx.ports.blobs.presigned_get(ref.key, expires_s=URL_EXPIRES_S)
    return f"data:application/octet-stream;base64,{base64.b64encode(ref.inline or b'').decode()}"
