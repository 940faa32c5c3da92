"""Deployments: create, change, look at, list, delete. The EventBridge schedule follows every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, UnsetType

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.names import checked_name
from dagy_runtime.api import views
from dagy_runtime.api.attaching import check_attached, find_package
from dagy_runtime.api.checks import check_expected, checked_tag_filter, flow_to_use, no_deployment
from dagy_runtime.api.context import Context
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import DeploymentQuery
from dagy_runtime.api.schedule_sync import sync_schedule
from dagy_runtime.api.settings import Change, asked_by_deploy, asked_by_settings, decide
from dagy_runtime.values import Deployment, FlowVersion

_TRIES: Final = 10


def put_deployment(ctx: Context, body: m.DeploymentRequest) -> m.DeploymentResponse:
    name = checked_name("deployment name", body.name)
    flow = flow_to_use(
        ctx.ports.registry, checked_name("flow name", body.flow_name), checked_name("flow version", body.flow_version)
    )
    change = asked_by_deploy(body)

    def changed(current: Deployment | None) -> Deployment:
        check_expected(ctx, "deployment", name, current.deployment_version if current else 0)
        return decide_for(ctx, current, change, name, flow)

    return deployment_view(ctx, store_deployment(ctx, name, changed))


def change_settings(ctx: Context, body: m.DeploymentSettingsRequest, *, name: str) -> m.DeploymentResponse:
    checked_name("deployment name", name)
    change = asked_by_settings(body)

    def changed(current: Deployment | None) -> Deployment:
        if current is None:
            raise no_deployment(ctx.ports.registry, name)
        check_expected(ctx, "deployment", name, current.deployment_version)
        if body.deployment_version is not UNSET and body.deployment_version != current.deployment_version:
            raise Conflict(
                f"Deployment '{name}' is at version {current.deployment_version}, not {body.deployment_version}",
                "Somebody changed it meanwhile: look at it again, then repeat your change.",
            )
        flow = flow_to_use(ctx.ports.registry, current.flow_name, current.flow_version)
        planned = decide_for(ctx, current, change, name, flow)
        if planned.schedule is None and not isinstance(change.timezone, (UnsetType, type(None))):
            raise InvalidInput(f"Deployment '{name}' has no schedule for a time zone", "Give schedule and timezone.")
        return planned

    return deployment_view(ctx, store_deployment(ctx, name, changed))


def point_to(ctx: Context, name: str, flow: FlowVersion) -> Callable[[], Deployment]:
    """Check that the deployment can point to that flow; the function given back makes it so, once the flow is stored.

    Raises: InvalidInput when its parameters or settings do not fit the flow.
    """

    def moved(current: Deployment | None) -> Deployment:
        return decide_for(ctx, current, Change(), name, flow)

    moved(ctx.ports.registry.get_deployment(name))
    return lambda: store_deployment(ctx, name, moved)


def get_deployment(ctx: Context, *, name: str) -> m.DeploymentResponse:
    checked_name("deployment name", name)
    deployment = ctx.ports.registry.get_deployment(name)
    if deployment is None:
        raise no_deployment(ctx.ports.registry, name)
    return deployment_view(ctx, deployment)


def list_deployments(ctx: Context, query: DeploymentQuery) -> m.DeploymentListResponse:
    if query.flow_name is not None:
        checked_name("flow name", query.flow_name)
    now, tags = ctx.ports.clock.now(), checked_tag_filter(query.tag)
    items, cursor = fitting(
        lambda limit: ctx.ports.registry.list_deployments(
            limit=limit, cursor=query.cursor, flow_name=query.flow_name, tags=tags
        ),
        lambda deployment: views.deployment_view(deployment, now=now),
        query.limit,
    )
    return m.DeploymentListResponse(items=items, next_cursor=cursor)


def delete_deployment(ctx: Context, *, name: str) -> None:
    """First its schedule, so that nothing fires for what is gone. Its runs stay."""
    checked_name("deployment name", name)
    ports = ctx.ports
    if ports.registry.get_deployment(name) is None:
        raise no_deployment(ports.registry, name)
    ports.schedules.delete(name)
    if not ports.registry.delete_deployment(name):
        raise NotFound("deployment", name, "Somebody else deleted it just now.")
    sync_schedule(ports, name)  # somebody may have deployed it anew between the two


def decide_for(ctx: Context, current: Deployment | None, change: Change, name: str, flow: FlowVersion) -> Deployment:
    now = ctx.ports.clock.now()
    planned = decide(current, change, name=name, flow=flow, offer=ctx.offer, now=now, by=ctx.caller.id)
    if current is None or planned.packages != current.packages or planned.size != current.size:
        check_attached(ctx.ports, ctx.offer, planned)
    return planned


def store_deployment(ctx: Context, name: str, decided: Callable[[Deployment | None], Deployment]) -> Deployment:
    """Read, decide, write under the version read; again when somebody else was faster. Then the schedule.

    When EventBridge refuses the schedule, or a package is gone meanwhile, what stood before is put back.
    """
    registry = ctx.ports.registry
    for _ in range(_TRIES):
        current = registry.get_deployment(name)
        planned = decided(current)
        try:
            stored = registry.put_deployment(planned, expected_version=current.deployment_version if current else 0)
        except Conflict:
            continue
        try:
            for slug in stored.packages:
                find_package(ctx.ports, slug)  # somebody may have deleted it between the check and the write
            return sync_schedule(ctx.ports, name) or stored
        except (InvalidInput, NotFound):
            _put_back(ctx, current, stored)
            raise
    raise Conflict(f"Deployment '{name}' keeps being changed by others", "Deploy it again when they are done.")


def _put_back(ctx: Context, before: Deployment | None, stored: Deployment) -> None:
    if before is None:
        ctx.ports.registry.delete_deployment(stored.name)
        return
    try:
        ctx.ports.registry.put_deployment(before, expected_version=stored.deployment_version)
    except Conflict:
        return  # somebody has changed it since: theirs counts


def deployment_view(ctx: Context, deployment: Deployment) -> m.DeploymentResponse:
    return views.deployment_view(deployment, now=ctx.ports.clock.now())
