"""The table of routes: the application is built from it, and so is everything that describes the API."""

from __future__ import annotations

import functools
from typing import Final

from dagy.client import models as m
from dagy_runtime.api import (
    audit,
    bulk_runs,
    dead_letters,
    deployments,
    drafts,
    flows,
    identity,
    keys,
    packages,
    rollbacks,
    runs,
    users,
)
from dagy_runtime.api.context import Context
from dagy_runtime.api.openapi import document
from dagy_runtime.api.queries import (
    AuditQuery,
    DeadLetterQuery,
    DeploymentQuery,
    DraftQuery,
    EventQuery,
    FlowQuery,
    LogQuery,
    PageQuery,
    RunQuery,
)
from dagy_runtime.api.repeats import Repeats
from dagy_runtime.api.route import BASE, Route
from dagy_runtime.values import Role

__all__ = ["BASE", "MAX_FLOW_BYTES", "ROUTES", "Route"]

MAX_FLOW_BYTES: Final = 5 * 1024 * 1024
"""Some 20,000 tasks. Lambda takes events of 6 MB, in which a flow's quotation marks are escaped: an eighth more."""


def openapi(ctx: Context) -> m.OpenApiResponse:
    """Open to everyone: it says what this page of the documentation says."""
    return _document()


@functools.cache
def _document() -> m.OpenApiResponse:
    return document(ROUTES)


_VIEWER, _DEVELOPER, _ADMIN = Role.VIEWER, Role.DEVELOPER, Role.ADMIN

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/health", identity.health, m.HealthResponse, None, "Whether the API answers"),
    Route("GET", "/whoami", identity.whoami, m.WhoamiResponse, _VIEWER, "Who is asking, with which role"),
    Route("POST", "/logout", identity.logout, None, _VIEWER, "End the caller's session; keys have none", status=204),
    Route("GET", "/stage", identity.stage, m.StageResponse, _VIEWER, "What this stage can carry out"),
    Route("GET", "/openapi.json", openapi, m.OpenApiResponse, None, "The API, described in OpenAPI 3.1"),
    # --- flows
    Route(
        "POST", "/flows", flows.register_flow, m.FlowRegisterResponse, _DEVELOPER,
        "Register a flow version, or replace it", body=m.FlowRegisterRequest, max_body_bytes=MAX_FLOW_BYTES,
        repeats=Repeats.ANSWERED,
    ),
    Route("GET", "/flows", flows.list_flows, m.FlowListResponse, _VIEWER, "List flow versions", query=FlowQuery),
    Route(
        "GET", "/flows/{name}", flows.list_flow_versions, m.FlowListResponse, _VIEWER,
        "List the versions of one flow", query=PageQuery,
    ),
    Route(
        "GET", "/flows/{name}/{version}", flows.get_flow, m.FlowDetailResponse, _VIEWER,
        "One flow version; `latest` is the one of that name, else the one registered last",
    ),
    # --- deployments
    Route(
        "POST", "/deployments", deployments.put_deployment, m.DeploymentResponse, _DEVELOPER,
        "Create a deployment, or change the one of that name", body=m.DeploymentRequest,
        repeats=Repeats.ANSWERED, etag="deployment_version",
    ),
    Route(
        "GET", "/deployments", deployments.list_deployments, m.DeploymentListResponse, _VIEWER,
        "List deployments", query=DeploymentQuery,
    ),
    Route(
        "GET", "/deployments/{name}", deployments.get_deployment, m.DeploymentResponse, _VIEWER, "One deployment",
        etag="deployment_version",
    ),
    Route(
        "DELETE", "/deployments/{name}", deployments.delete_deployment, None, _DEVELOPER,
        "Delete a deployment and its schedule; its runs stay", status=204,
    ),
    Route(
        "PUT", "/deployments/{name}/settings", deployments.change_settings, m.DeploymentResponse, _DEVELOPER,
        "Change settings without deploying", body=m.DeploymentSettingsRequest, etag="deployment_version",
    ),
    Route(
        "GET", "/deployments/{name}/versions", rollbacks.list_versions, m.DeploymentVersionListResponse, _VIEWER,
        "What a deployment was at each of its versions, newest first", query=PageQuery,
    ),
    Route(
        "POST", "/deployments/{name}/rollback", rollbacks.roll_back, m.DeploymentResponse, _DEVELOPER,
        "Go back to the code and the settings of an earlier version", body=m.RollbackRequest,
        repeats=Repeats.ANSWERED, etag="deployment_version",
    ),
    # --- runs
    Route(
        "POST", "/runs", runs.create_run, m.RunResponse, _DEVELOPER,
        "Start a run; 200 instead of 201 when its idempotency key was seen before", status=201, body=m.RunRequest,
        repeats=Repeats.HANDLED,
    ),
    Route(
        "POST", "/runs/bulk", bulk_runs.start_runs, m.RunBulkResponse, _DEVELOPER,
        "Start many runs of one flow or deployment", status=201, body=m.RunBulkRequest, repeats=Repeats.HANDLED,
    ),
    Route(
        "POST", "/runs/cancel", bulk_runs.cancel_runs, m.RunCancelResponse, _DEVELOPER,
        "Ask for the end of all runs that match, or only list them", body=m.RunCancelRequest,
    ),
    Route("GET", "/runs", runs.list_runs, m.RunListResponse, _VIEWER, "List runs, newest first", query=RunQuery),
    Route("GET", "/runs/{run_id}", runs.get_run, m.RunResponse, _VIEWER, "One run"),
    Route(
        "POST", "/runs/{run_id}/cancel", runs.cancel_run, m.RunResponse, _DEVELOPER, "Ask for the end of a run"
    ),
    Route(
        "GET", "/runs/{run_id}/tasks", runs.list_task_runs, m.TaskRunListResponse, _VIEWER,
        "A run's tasks, in the flow's order", query=PageQuery,
    ),
    Route(
        "GET", "/runs/{run_id}/tasks/{task_run_id}/result", runs.get_task_result, m.ResultResponse, _VIEWER,
        "What a task returned",
    ),
    Route(
        "GET", "/runs/{run_id}/events", runs.list_events, m.EventListResponse, _VIEWER,
        "What happened in a run, oldest first", query=EventQuery,
    ),
    Route(
        "GET", "/runs/{run_id}/logs", runs.get_logs, m.LogResponse, _VIEWER, "A run's log lines", query=LogQuery
    ),
    Route("GET", "/runs/{run_id}/result", runs.get_result, m.ResultResponse, _VIEWER, "What a run returned"),
    # --- dead letters
    Route(
        "GET", "/dead-letters", dead_letters.list_letters, m.DeadLetterListResponse, _VIEWER,
        "List messages that AWS gave up on, newest first", query=DeadLetterQuery,
    ),
    Route(
        "GET", "/dead-letters/{letter_id}", dead_letters.get_letter, m.DeadLetterResponse, _VIEWER,
        "One message that AWS gave up on",
    ),
    Route(
        "POST", "/dead-letters/{letter_id}/replay", dead_letters.replay, m.DeadLetterResponse, _DEVELOPER,
        "Do what a dead letter was about; 200 instead of 201 when that was done before", status=201,
        repeats=Repeats.HANDLED,
    ),
    # --- drafts
    Route(
        "POST", "/drafts", drafts.create_draft, m.DagDraftResponse, _DEVELOPER, "Keep a draft of a pipeline",
        status=201, body=m.DagDraftCreateRequest, repeats=Repeats.ANSWERED, etag="version",
    ),
    Route(
        "GET", "/drafts", drafts.list_drafts, m.DagDraftListResponse, _VIEWER, "List drafts, newest first",
        query=DraftQuery,
    ),
    Route("GET", "/drafts/{draft_id}", drafts.get_draft, m.DagDraftResponse, _VIEWER, "One draft", etag="version"),
    Route(
        "PUT", "/drafts/{draft_id}", drafts.change_draft, m.DagDraftResponse, _DEVELOPER, "Change a draft",
        body=m.DagDraftUpdateRequest, etag="version",
    ),
    Route("DELETE", "/drafts/{draft_id}", drafts.delete_draft, None, _DEVELOPER, "Delete a draft", status=204),
    # --- dependency packages
    Route(
        "POST", "/packages", packages.register_package, m.PackageResponse, _DEVELOPER,
        "Register a dependency package that was uploaded; 200 instead of 201 when it is there already", status=201,
        body=m.PackageRegisterRequest, repeats=Repeats.ANSWERED,
    ),
    Route(
        "GET", "/packages", packages.list_packages, m.PackageListResponse, _VIEWER,
        "List dependency packages, newest first", query=PageQuery,
    ),
    Route("GET", "/packages/{slug}", packages.get_package, m.PackageResponse, _VIEWER, "One dependency package"),
    Route(
        "DELETE", "/packages/{slug}", packages.delete_package, None, _DEVELOPER,
        "Delete a dependency package that no deployment has", status=204,
    ),
    # --- keys
    Route(
        "POST", "/keys", keys.create_key, m.KeyCreatedResponse, _ADMIN,
        "Make an API key; its text is shown only here", status=201, body=m.KeyCreateRequest,
        repeats=Repeats.REFUSED,
    ),
    Route("GET", "/keys", keys.list_keys, m.KeyListResponse, _ADMIN, "List API keys, newest first", query=PageQuery),
    Route("DELETE", "/keys/{key_id}", keys.revoke_key, m.KeyResponse, _ADMIN, "Revoke an API key"),
    # --- users and the audit log
    Route("GET", "/users", users.list_users, m.UserListResponse, _ADMIN, "List users", query=PageQuery),
    Route(
        "POST", "/users", users.invite_user, m.UserInvitedResponse, _ADMIN,
        "Invite a user", status=201, body=m.UserInviteRequest, repeats=Repeats.REFUSED,
    ),
    Route("GET", "/users/{user}", users.get_user, m.UserResponse, _ADMIN, "One user, by id or address"),
    Route(
        "PUT", "/users/{user}/role", users.set_role, m.UserResponse, _ADMIN,
        "Give a user a role; within 30 seconds it counts everywhere", body=m.UserRoleRequest,
    ),
    Route(
        "POST", "/users/{user}/disable", users.disable_user, m.UserResponse, _ADMIN,
        "Disable a user; within 30 seconds no token is good any more",
    ),
    Route("POST", "/users/{user}/enable", users.enable_user, m.UserResponse, _ADMIN, "Let a disabled user in again"),
    Route(
        "DELETE", "/users/{user}", users.remove_user, m.UserResponse, _ADMIN,
        "Remove a user for ever; within 30 seconds no token is good any more",
    ),
    Route(
        "GET", "/audit", audit.list_entries, m.AuditListResponse, _ADMIN,
        "Who changed what, newest first", query=AuditQuery,
    ),
)  # fmt: skip
