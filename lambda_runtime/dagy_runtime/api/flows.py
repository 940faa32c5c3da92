"""Flows: register a version, look at one, list them."""

from __future__ import annotations

import re
from typing import Final

from dagy.client import models as m
from dagy.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from dagy.core.names import checked_name, is_reserved_key
from dagy.core.timestamps import to_iso
from dagy_runtime.api import views
from dagy_runtime.api.checks import LATEST, checked_tag_filter, checked_tags, flow_to_use
from dagy_runtime.api.context import Context
from dagy_runtime.api.deployments import point_to
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import FlowQuery, PageQuery
from dagy_runtime.api.specs import checked_spec
from dagy_runtime.values import ArtifactRef, FlowVersion

MAX_KEY: Final = 1024  # S3's limit
MAX_NAMESPACE: Final = 255


def register_flow(ctx: Context, body: m.FlowRegisterRequest) -> m.FlowRegisterResponse:
    """Everything is checked before anything is written; a repeat registers the same again."""
    spec = checked_spec(body.flow_spec, ctx.offer)
    current = ctx.ports.registry.get_flow(spec.name, spec.version)
    now = to_iso(ctx.ports.clock.now())
    flow = FlowVersion(
        name=spec.name,
        version=spec.version,
        spec=spec,
        artifact=_uploaded(ctx, body.artifact),
        code_hash=_code_hash(body.code_hash),
        namespace=_namespace(body.namespace, current),
        tags=checked_tags(body.tags) if body.tags is not None else dict(current.tags if current else {}),
        created_at=now,
        updated_at=now,
    )
    move = point_to(ctx, checked_name("deployment name", body.deployment_name), flow) if body.deployment_name else None
    stored = ctx.ports.registry.put_flow(flow)
    return views.registered(stored, move() if move else None)


def get_flow(ctx: Context, *, name: str, version: str) -> m.FlowDetailResponse:
    checked_name("flow name", name)
    checked_name("flow version", version)
    flow = flow_to_use(ctx.ports.registry, name, version)
    return views.flow_detail(flow, artifact_exists=_exists(ctx, flow.artifact))


def list_flows(ctx: Context, query: FlowQuery) -> m.FlowListResponse:
    if query.namespace is not None:
        checked_name("namespace", query.namespace)
    tags = checked_tag_filter(query.tag)
    items, cursor = fitting(
        lambda limit: ctx.ports.registry.list_flows(
            limit=limit, cursor=query.cursor, namespace=query.namespace, tags=tags
        ),
        views.flow_item,
        query.limit,
    )
    return m.FlowListResponse(items=items, next_cursor=cursor)


def list_flow_versions(ctx: Context, query: PageQuery, *, name: str) -> m.FlowListResponse:
    checked_name("flow name", name)
    registry = ctx.ports.registry
    items, cursor = fitting(
        lambda limit: registry.list_flow_versions(name, limit=limit, cursor=query.cursor), views.flow_item, query.limit
    )
    if not items and query.cursor is None:
        flow_to_use(registry, name, LATEST)  # raises, with the names that look alike
    return m.FlowListResponse(items=items, next_cursor=cursor)


def _exists(ctx: Context, artifact: ArtifactRef) -> bool | None:
    """None when the bucket does not tell: what is known of the flow is worth an answer all the same."""
    try:
        return ctx.ports.blobs.exists(artifact.key, version_id=artifact.version_id)
    except (Forbidden, Unavailable):
        return None


def _uploaded(ctx: Context, given: m.ArtifactModel) -> ArtifactRef:
    """The very object in this stage's bucket. Raises: InvalidInput, NotFound, or Conflict when it is another file."""
    if not re.fullmatch("[0-9a-f]{64}", given.sha256):
        raise InvalidInput("The artifact's sha256 is not a SHA-256 in hex", "64 characters 0–9 and a–f.")
    if not 0 < len(given.key.encode()) <= MAX_KEY or not given.key.isprintable():
        raise InvalidInput(f"Invalid artifact key {given.key[:100]!r}", "An S3 key is 1–1024 bytes.")
    if is_reserved_key(given.key):
        raise InvalidInput(
            f"An artifact cannot be at {given.key[:100]!r}", "Data of runs are there: upload it with another prefix."
        )
    found = ctx.ports.blobs.find_artifact(
        given.bucket, given.key, given.version_id, max_bytes=ctx.offer.max_artifact_bytes
    )
    where = f"s3://{given.bucket}/{given.key}"
    if found is None:
        raise NotFound("artifact", where, "Upload it first, then register it; `dagy deploy` does both.")
    if found.sha256 != given.sha256:
        raise Conflict(
            f"The artifact at {where} has SHA-256 {found.sha256}, not {given.sha256}",
            "Somebody else uploaded to the same key meanwhile, or the upload was cut short: deploy again.",
        )
    return found


def _code_hash(given: str | None) -> str | None:
    if given is not None and not re.fullmatch("[0-9a-f]{64}", given):
        raise InvalidInput("code_hash is not a SHA-256 in hex", "64 characters 0–9 and a–f, as in metadata.json.")
    return given


def _namespace(given: str | None, current: FlowVersion | None) -> str:
    if given is None:
        return current.namespace if current else ""
    if len(given) > MAX_NAMESPACE:
        raise InvalidInput("The namespace is too long", f"At most {MAX_NAMESPACE} characters.")
    return checked_name("namespace", given)
