"""What a deployment was at its earlier versions, and the way back to one of them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.names import checked_name
from dagy.core.timestamps import to_iso
from dagy_runtime.api import views
from dagy_runtime.api.checks import check_expected, flow_to_use, no_deployment
from dagy_runtime.api.context import Context
from dagy_runtime.api.deployments import decide_for, deployment_view, store_deployment
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import PageQuery
from dagy_runtime.api.settings import asked_by_rollback
from dagy_runtime.values import Deployment, FlowVersion

_VERSIONS_LOOKED_AT: Final = 200


def list_versions(ctx: Context, query: PageQuery, *, name: str) -> m.DeploymentVersionListResponse:
    registry = ctx.ports.registry
    if registry.get_deployment(checked_name("deployment name", name)) is None:
        raise no_deployment(registry, name)
    items, cursor = fitting(
        lambda limit: registry.list_deployment_versions(name, limit=limit, cursor=query.cursor),
        views.deployment_version_view,
        query.limit,
    )
    return m.DeploymentVersionListResponse(items=items, next_cursor=cursor)


def roll_back(ctx: Context, body: m.RollbackRequest, *, name: str) -> m.DeploymentResponse:
    """The settings and the code of an earlier version, as a new version; whether it is paused stays as it is.

    A flow version that was replaced since is registered again as it was, for whatever else points to it too. A repeat
    makes another version that is the same.

    Raises: what a deploy of it would raise, before anything is written; Conflict when its artifact is gone.
    """
    registry = ctx.ports.registry
    current = registry.get_deployment(checked_name("deployment name", name))
    if current is None:
        raise no_deployment(registry, name)
    check_expected(ctx, "deployment", name, current.deployment_version)
    earlier = _chosen(ctx, current, body.deployment_version)
    flow = _code_of(ctx, earlier)
    change = asked_by_rollback(earlier)

    def rolled_back(now_there: Deployment | None) -> Deployment:
        if now_there is None:
            raise no_deployment(registry, name)
        check_expected(ctx, "deployment", name, now_there.deployment_version)
        return decide_for(ctx, now_there, change, name, flow)

    rolled_back(current)
    standing = registry.get_flow(flow.name, flow.version)
    if standing is None or standing.artifact != flow.artifact:
        registry.put_flow(flow)
    return deployment_view(ctx, store_deployment(ctx, name, rolled_back))


def _chosen(ctx: Context, current: Deployment, number: int | None) -> Deployment:
    registry = ctx.ports.registry
    if number is None:
        page = registry.list_deployment_versions(current.name, limit=_VERSIONS_LOOKED_AT)
        found: Deployment | None = next((one for one in page.items if _code(one) != _code(current)), None)
        if found is None:
            raise Conflict(
                f"Deployment '{current.name}' has no earlier version with other code",
                f"Give deployment_version: GET /v1/deployments/{current.name}/versions lists them.",
            )
        return found
    if not 1 <= number <= current.deployment_version:
        raise InvalidInput(
            f"Deployment '{current.name}' has no version {number}", f"It has had 1 to {current.deployment_version}."
        )
    earlier = registry.get_deployment_version(current.name, number)
    if earlier is None:
        raise NotFound(
            "deployment version", f"{current.name} {number}", "It is older than the stage's memory of versions."
        )
    return earlier


def _code(deployment: Deployment) -> tuple[str, str, str | None]:
    return deployment.flow_name, deployment.flow_version, deployment.artifact_sha256


def _code_of(ctx: Context, earlier: Deployment) -> FlowVersion:
    """The flow version with the artifact of that time, under the namespace and tags of now."""
    registry, sha256 = ctx.ports.registry, earlier.artifact_sha256
    standing = flow_to_use(registry, earlier.flow_name, earlier.flow_version)
    if sha256 is None or standing.artifact.sha256 == sha256:
        return standing
    found = registry.get_flow_revision(earlier.flow_name, earlier.flow_version, sha256=sha256)
    if found is None or not ctx.ports.blobs.exists(found.artifact.key, version_id=found.artifact.version_id):
        raise Conflict(
            f"The artifact of version {earlier.deployment_version} of deployment '{earlier.name}' is gone",
            f"Deploy that code again; its SHA-256 was {sha256}.",
        )
    return replace(found, namespace=standing.namespace, tags=standing.tags, updated_at=to_iso(ctx.ports.clock.now()))
