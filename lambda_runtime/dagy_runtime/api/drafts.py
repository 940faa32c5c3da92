"""Drafts: pipelines that are being drawn. What is on the canvas only the canvas understands."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.timestamps import to_iso
from dagy_runtime.api import views
from dagy_runtime.api.checks import check_expected, checked_tag_filter, checked_tags
from dagy_runtime.api.context import Context
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import DraftQuery
from dagy_runtime.api.wire import parse_json
from dagy_runtime.values import Draft

MAX_NAME: Final = 200


def create_draft(ctx: Context, body: m.DagDraftCreateRequest) -> m.DagDraftResponse:
    """A repeat makes another, unless it has the same idempotency key."""
    now = to_iso(ctx.ports.clock.now())
    draft = Draft(
        id=ctx.ports.ids.unique(),
        name=_name(body.name),
        canvas_json=_canvas(body.canvas_json),
        tags=checked_tags(body.tags or {}),
        version=0,
        created_at=now,
        updated_at=now,
        created_by=ctx.caller.id,
        updated_by=ctx.caller.id,
    )
    return views.draft_detail(ctx.ports.drafts.put_draft(draft, expected_version=0))


def get_draft(ctx: Context, *, draft_id: str) -> m.DagDraftResponse:
    return views.draft_detail(_draft(ctx, draft_id))


def list_drafts(ctx: Context, query: DraftQuery) -> m.DagDraftListResponse:
    tags = checked_tag_filter(query.tag)
    items, cursor = fitting(
        lambda limit: ctx.ports.drafts.list_drafts(limit=limit, cursor=query.cursor, tags=tags),
        views.draft_view,
        query.limit,
    )
    return m.DagDraftListResponse(items=items, next_cursor=cursor)


def change_draft(ctx: Context, body: m.DagDraftUpdateRequest, *, draft_id: str) -> m.DagDraftResponse:
    """Raises: PreconditionFailed or Conflict when it is not at the version that `If-Match` or the body names, or when
    somebody else changes it this moment.
    """
    current = _draft(ctx, draft_id)
    check_expected(ctx, "draft", draft_id, current.version)
    if body.version is not None and body.version != current.version:
        raise Conflict(
            f"Draft '{draft_id}' is at version {current.version}, not {body.version}",
            "Somebody changed it meanwhile: look at it again, then repeat your change.",
        )
    changed = replace(
        current,
        name=current.name if body.name is None else _name(body.name),
        canvas_json=current.canvas_json if body.canvas_json is None else _canvas(body.canvas_json),
        tags=current.tags if body.tags is None else checked_tags(body.tags),
        updated_at=to_iso(ctx.ports.clock.now()),
        updated_by=ctx.caller.id,
    )
    return views.draft_detail(ctx.ports.drafts.put_draft(changed, expected_version=current.version))


def delete_draft(ctx: Context, *, draft_id: str) -> None:
    if not ctx.ports.drafts.delete_draft(_checked_id(draft_id)):
        raise _unknown(draft_id)


def _draft(ctx: Context, draft_id: str) -> Draft:
    draft = ctx.ports.drafts.get_draft(_checked_id(draft_id))
    if draft is None:
        raise _unknown(draft_id)
    return draft


def _checked_id(draft_id: str) -> str:
    if not re.fullmatch("[A-Za-z0-9]{1,64}", draft_id):
        raise InvalidInput(f"Invalid draft id {draft_id[:64]!r}", "1–64 ASCII letters and digits.")
    return draft_id


def _unknown(draft_id: str) -> NotFound:
    return NotFound("draft", draft_id, "GET /v1/drafts lists those there are.")


def _name(text: str) -> str:
    if not 0 < len(text) <= MAX_NAME or not text.isprintable() or not text.strip():
        raise InvalidInput(f"Invalid draft name {text[:50]!r}", f"1–{MAX_NAME} printable characters.")
    return text


def _canvas(text: str) -> str:
    try:
        parse_json(text.encode())
    except InvalidInput as error:
        raise InvalidInput(f"canvas_json is not JSON text: {error}", error.hint) from None
    return text
