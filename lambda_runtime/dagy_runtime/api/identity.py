"""Who is asking, whom they ask, and whether anybody answers."""

from __future__ import annotations

from dagy.client import models as m
from dagy.core.errors import Conflict
from dagy_runtime.api.context import Context
from dagy_runtime.engine.tokens import MAX_LIFE_S


def health(ctx: Context) -> m.HealthResponse:
    """Open to everyone, so it tells nothing but this."""
    return m.HealthResponse(status="ok", version=ctx.version, stage=ctx.offer.stage)


def whoami(ctx: Context) -> m.WhoamiResponse:
    caller = ctx.caller
    return m.WhoamiResponse(
        kind=caller.kind,
        id=caller.id,
        name=caller.name,
        role=caller.role.value if caller.role else "none",
        expires_at=caller.expires_at,
        stage=ctx.offer.stage,
    )


def logout(ctx: Context) -> None:
    """End the session that the caller's token belongs to. A key belongs to none.

    Raises: Conflict for a key, which stays good.
    """
    caller = ctx.caller
    if caller.session is None:
        raise Conflict(
            f"'{caller.name}' is an API key: it has no session to end, and stays good",
            f"To make it worthless: dagy keys revoke {caller.id}",
        )
    ctx.ports.sessions.end(caller.session.id, until=caller.session.expires_at + MAX_LIFE_S)
    ctx.forget_sessions()


def stage(ctx: Context) -> m.StageResponse:
    offer = ctx.offer
    return m.StageResponse(
        stage=offer.stage,
        version=ctx.version,
        sizes=[size.value for size in offer.sizes],
        isolations=[isolation.value for isolation in offer.isolations],
        executors=[executor.value for executor in offer.executors],
        has_packages=offer.has_packages,
        max_artifact_bytes=offer.max_artifact_bytes,
        has_run_limits=offer.has_run_limits,
    )
