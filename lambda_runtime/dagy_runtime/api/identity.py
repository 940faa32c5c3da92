"""Who is asking, and whether anybody answers."""

from __future__ import annotations

from dagy.client import models as m
from dagy_runtime.api.context import Context


def health(ctx: Context) -> m.HealthResponse:
    """Open to everyone, so it tells nothing but this."""
    return m.HealthResponse(status="ok", version=ctx.version, stage=ctx.stage)


def whoami(ctx: Context) -> m.WhoamiResponse:
    caller = ctx.caller
    return m.WhoamiResponse(
        kind=caller.kind,
        id=caller.id,
        name=caller.name,
        role=caller.role.value if caller.role else "none",
        expires_at=caller.expires_at,
        stage=ctx.stage,
    )
