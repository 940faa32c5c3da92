"""The audit log, for admins to read. Nobody can change it through the API."""

from __future__ import annotations

from msgspec.structs import asdict

from dagy.client import models as m
from dagy_runtime.api.context import Context
from dagy_runtime.api.queries import AuditQuery


def list_entries(ctx: Context, query: AuditQuery) -> m.AuditListResponse:
    page = ctx.ports.audit.list_entries(
        limit=query.limit, cursor=query.cursor, actor=query.actor, resource=query.resource
    )
    return m.AuditListResponse(
        items=[m.AuditEntryResponse(**asdict(entry)) for entry in page.items], next_cursor=page.cursor
    )
