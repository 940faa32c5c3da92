"""API keys: create, list, revoke."""

from __future__ import annotations

import re

from dagy.client import models as m
from dagy.core.errors import InvalidInput, NotFound
from dagy.core.timestamps import to_iso
from dagy_runtime.api import views
from dagy_runtime.api.context import Context
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import PageQuery
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.values import ApiKey, Role

_NO_ADMIN_LEFT = "No other admin key is valid now. Mint one with AWS credentials: dagy keys create --admin --via-aws"


def create_key(ctx: Context, body: m.KeyCreateRequest) -> m.KeyCreatedResponse:
    """A repeat makes another key."""
    if body.role not in Role._value2member_map_:
        raise InvalidInput(f"Unknown role {body.role[:50]!r}", f"One of {', '.join(Role)}.")
    ports = ctx.ports
    key, text = mint_key(
        ports.keys,
        ports.clock,
        ports.ids,
        name=body.name,
        role=Role(body.role),
        expires_in_days=body.expires_in_days,
        created_by=ctx.caller.id,
    )
    return m.KeyCreatedResponse(key=text, id=key.id, name=key.name, role=key.role.value, expires_at=key.expires_at)


def list_keys(ctx: Context, query: PageQuery) -> m.KeyListResponse:
    items, cursor = fitting(
        lambda limit: ctx.ports.keys.list_keys(limit=limit, cursor=query.cursor), views.key_view, query.limit
    )
    return m.KeyListResponse(items=items, next_cursor=cursor)


def revoke_key(ctx: Context, *, key_id: str) -> m.KeyResponse:
    """A repeat changes nothing. Who revokes the last admin key may, and is told how to get another."""
    if not re.fullmatch("[A-Za-z0-9]{1,64}", key_id):
        raise InvalidInput(f"Invalid key id {key_id[:64]!r}", "It is the part between the first two '_' of a key.")
    key = ctx.ports.keys.revoke_key(key_id, at=to_iso(ctx.ports.clock.now()))
    if key is None:
        raise NotFound("key", key_id, "`dagy keys list` shows those there are.")
    is_last = key.role is Role.ADMIN and not _has_admin_key(ctx)
    return views.key_view(key, warning=_NO_ADMIN_LEFT if is_last else None)


def _has_admin_key(ctx: Context) -> bool:
    now = to_iso(ctx.ports.clock.now())
    cursor: str | None = None
    while True:
        page = ctx.ports.keys.list_keys(limit=1000, cursor=cursor)
        if any(_is_good_admin(key, now) for key in page.items):
            return True
        if page.cursor is None:
            return False
        cursor = page.cursor


def _is_good_admin(key: ApiKey, now: str) -> bool:
    return key.role is Role.ADMIN and key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
