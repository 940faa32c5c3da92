"""Dead letters: messages that AWS gave up on. List them, look at one, do what it was about after all."""

from __future__ import annotations

import re
from typing import Final

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.names import checked_name
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.api import runs, views
from dagy_runtime.api.context import Already, Context
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import DeadLetterQuery
from dagy_runtime.engine.submit import NotFired, fire_schedule, start_run
from dagy_runtime.messages import FireSchedule, Message, Reconcile, StartRun, from_json
from dagy_runtime.values import DeadLetter

_NOT_FIRED: Final = {
    "deployment_gone": "is gone",
    "deployment_paused": "is paused",
    "deployment_without_schedule": "has no schedule any more",
    "no_nominal_time": "was to run at no time that its schedule knows",
}


def list_letters(ctx: Context, query: DeadLetterQuery) -> m.DeadLetterListResponse:
    run_id = None if query.run_id is None else checked_name("run id", query.run_id)
    items, cursor = fitting(
        lambda limit: ctx.ports.runs.list_dead_letters(limit=limit, cursor=query.cursor, run_id=run_id),
        views.dead_letter_view,
        query.limit,
    )
    return m.DeadLetterListResponse(items=items, next_cursor=cursor)


def get_letter(ctx: Context, *, letter_id: str) -> m.DeadLetterResponse:
    return views.dead_letter_detail(_letter(ctx, letter_id))


def replay(ctx: Context, *, letter_id: str) -> m.DeadLetterResponse | Already:
    """Once for each letter, whoever asks however often: what a replay starts is found again by the letter's own key, so
    that two at once, or one after a crash before the mark was set, start one run.

    Raises: NotFound; Conflict for a letter of which nothing can be made any more.
    """
    letter = _letter(ctx, letter_id)
    if letter.replayed_at is not None:
        return Already(views.dead_letter_detail(letter))
    run_id = _done(ctx, letter)
    mark = {"at": to_iso(ctx.ports.clock.now()), "by": ctx.caller.id}
    marked = ctx.ports.runs.mark_replayed(letter.id, **mark, run_id=run_id) or letter
    shown = views.dead_letter_detail(marked)
    is_ours = (marked.replayed_at, marked.replayed_by) == (mark["at"], mark["by"])
    return shown if is_ours else Already(shown)


def _done(ctx: Context, letter: DeadLetter) -> str | None:
    """The run that came of it."""
    match message := _message(letter):
        case FireSchedule():
            firing = fire_schedule(ctx.ports, message)
            if isinstance(firing, NotFired):
                reason = _NOT_FIRED.get(firing.reason, firing.reason)
                raise Conflict(
                    f"Deployment '{message.deployment}' {reason}: its schedule does not fire",
                    f"Start a run of it by hand: dagy run {message.deployment}",
                )
            return firing.creation.run.id
        case StartRun():
            return start_run(ctx.ports, message, delivery_id=letter.delivery_id or letter.id).run.id
        case Reconcile():
            ctx.ports.dispatcher.to_control(message)
            return None
        case _:
            return _retried(ctx, letter, message.run_id)


def _retried(ctx: Context, letter: DeadLetter, run_id: str) -> str:
    """What is final stays so: the run is finished by a new one, which keeps what it has done."""
    run = ctx.ports.runs.get_run(run_id)
    if run is None:
        raise NotFound("run", run_id, "The message was for a run that this stage does not have.")
    if not run.status.is_final:
        raise Conflict(
            f"Run '{run.id}' is {run.status}: it goes on without this message", "Wait for its end, or cancel it."
        )
    if run.status is Status.SUCCEEDED:
        raise Conflict(f"Run '{run.id}' succeeded without this message", "There is nothing to replay.")
    body = m.RunRequest(
        deployment=run.deployment,
        flow_name=None if run.deployment else run.flow_name,
        flow_version=None if run.deployment else run.flow_version,
        parameters=dict(run.parameters),
        fail_fast=run.fail_fast,
        max_workers=run.max_workers,
        tags=None if run.deployment else dict(run.tags),
        retry_of=run.id,
    )
    return runs.start(ctx, body, idempotency_key=f"dead-letter:{letter.id}").run.id


def _message(letter: DeadLetter) -> Message:
    """Raises: Conflict."""
    try:
        return from_json(dict(letter.message))
    except InvalidInput as error:
        raise Conflict(
            f"Dead letter '{letter.id}' cannot be replayed: {error}", "It is no message that this stage sends."
        ) from error


def _letter(ctx: Context, letter_id: str) -> DeadLetter:
    is_id = re.fullmatch("[0-9A-Za-z-]{1,64}", letter_id)
    letter = ctx.ports.runs.get_dead_letter(letter_id) if is_id else None
    if letter is None:
        raise NotFound("dead letter", letter_id, "`dagy dead-letters list` shows those there are.")
    return letter
