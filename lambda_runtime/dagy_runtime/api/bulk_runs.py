"""Many runs at once: start them, or ask for their end."""

from __future__ import annotations

from typing import Final

from dagy.client import models as m
from dagy.core.errors import InvalidInput
from dagy.core.states import RUN_TRANSITIONS
from dagy.parameters import check_values
from dagy_runtime.api.checks import checked_tags
from dagy_runtime.api.context import Already, Context
from dagy_runtime.api.queries import RunQuery
from dagy_runtime.api.runs import run_filter, submission
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.submit import submit_run
from dagy_runtime.ports import Existed
from dagy_runtime.values import Trigger

MAX_BULK_RUNS: Final = 100
"""A run takes some 50 ms to start on AWS; an answer has to come within 29 s."""
_OPEN: Final = tuple(status.value for status in RUN_TRANSITIONS if not status.is_final)


def start_runs(ctx: Context, body: m.RunBulkRequest) -> m.RunBulkResponse | Already:
    """Each run has an idempotency key of its own, made of the request's and its place in the list."""
    if not 1 <= len(body.items) <= MAX_BULK_RUNS:
        raise InvalidInput(f"{len(body.items)} runs are not 1–{MAX_BULK_RUNS}", "Send several requests.")
    what = submission(
        ctx,
        m.RunRequest(
            deployment=body.deployment,
            flow_name=body.flow_name,
            flow_version=body.flow_version,
            execution_mode=body.execution_mode,
            fail_fast=body.fail_fast,
            max_workers=body.max_workers,
        ),
    )
    ready = []
    for number, item in enumerate(body.items):
        try:
            parameters = check_values(what.flow.spec.parameters, {**what.defaults, **item.parameters})
            ready.append((parameters, checked_tags(item.tags) if item.tags is not None else None))
        except InvalidInput as error:
            raise InvalidInput(f"Item {number}: {error}", error.hint) from None
    key = ctx.idempotency_key
    submitted = [
        submit_run(
            ctx.ports,
            flow=what.flow,
            deployment=what.deployment,
            parameters=parameters,
            mode=what.mode,
            trigger=Trigger.MANUAL,
            requested_by=ctx.caller.id,
            idempotency_key=f"{key}#{number}" if key is not None else None,
            fail_fast=body.fail_fast,
            max_workers=body.max_workers,
            tags=tags,
        )
        for number, (parameters, tags) in enumerate(ready)
    ]
    answer = m.RunBulkResponse(run_ids=[one.run.id for one in submitted], total=len(submitted))
    return Already(answer) if all(isinstance(one, Existed) for one in submitted) else answer


def cancel_runs(ctx: Context, body: m.RunCancelRequest) -> m.RunCancelResponse:
    """A repeat changes nothing more. Runs that somebody else ends meanwhile stay as they ended."""
    if body.flow_name is None and body.deployment is None:
        raise InvalidInput("Which runs to cancel is not said", "Give flow_name or deployment.")
    where = run_filter(
        RunQuery(
            flow_name=body.flow_name,
            deployment=body.deployment,
            status=body.statuses or list(_OPEN),
            after=body.after,
            before=body.before,
        )
    )
    page = ctx.ports.runs.list_runs(limit=MAX_BULK_RUNS, cursor=body.cursor, where=where)
    run_ids = [run.id for run in page.items if not run.status.is_final]
    if not body.dry_run:
        for run_id in run_ids:
            cancel_run(ctx.ports, run_id)
    return m.RunCancelResponse(run_ids=run_ids, total=len(run_ids), dry_run=body.dry_run, next_cursor=page.cursor)
