"""`DagyClient`: every route of the API as a method, with the values of `dagy.client.models`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from dagy.client import models as m
from dagy.client.transport import PATIENTLY, Retrying, Transport
from dagy.config import Profile, resolve_api_url
from dagy.core.errors import APIError, InvalidInput
from dagy.credentials import resolve_token

T = TypeVar("T")
PAGE = 100


class DagyClient:
    """The API of one stage.

    Without `token`, each request carries what `dagy.credentials.resolve_token` finds for `profile` and this API.
    Requests that are safe to repeat are repeated; see `Transport.send`. Every method raises APIError, and
    TokenExpiredError or Unauthenticated before anything was sent.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        profile: str | None = None,
        timeout_s: float = 10.0,
        retrying: Retrying = PATIENTLY,
    ) -> None:
        find_token = (lambda: token) if token is not None else (lambda: resolve_token(profile, api_url=base_url))
        self._transport = Transport(base_url, find_token, timeout_s=timeout_s, retrying=retrying)

    def __repr__(self) -> str:
        return f"DagyClient({self.base_url!r})"

    @property
    def base_url(self) -> str:
        """Where the routes are, `/v1` included."""
        return self._transport.url

    def close(self) -> None:
        """Let go of idle connections. The client can be used again."""
        self._transport.close()

    # --- flows ----------------------------------------------------------------------------------------------

    def register_flow(
        self, request: m.FlowRegisterRequest, *, idempotency_key: str | None = None
    ) -> m.FlowRegisterResponse:
        return self._make("/flows", m.FlowRegisterResponse, request, idempotency_key)

    def get_flow(self, name: str, version: str) -> m.FlowDetailResponse:
        return self._get(f"/flows/{_part(name)}/{_part(version)}", m.FlowDetailResponse)

    def get_latest_flow(self, name: str) -> m.FlowDetailResponse:
        """The version registered last, whatever it is called."""
        return self._get(f"/flows/{_part(name)}/latest", m.FlowDetailResponse)

    def list_flows(
        self,
        *,
        limit: int = PAGE,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: m.Tags | None = None,
    ) -> m.FlowListResponse:
        """Those in the namespace or below it that have all the tags."""
        return self._get(
            "/flows", m.FlowListResponse, limit=limit, cursor=cursor, namespace=namespace, tag=_tag_filter(tags)
        )

    def iter_flows(
        self, *, page: int = PAGE, namespace: str | None = None, tags: m.Tags | None = None
    ) -> Iterator[m.FlowListItem]:
        return _all(lambda cursor: self.list_flows(limit=page, cursor=cursor, namespace=namespace, tags=tags))

    def list_flow_versions(self, name: str, *, limit: int = PAGE, cursor: str | None = None) -> m.FlowListResponse:
        return self._get(f"/flows/{_part(name)}", m.FlowListResponse, limit=limit, cursor=cursor)

    # --- deployments ----------------------------------------------------------------------------------------

    def put_deployment(
        self, request: m.DeploymentRequest, *, if_version: int | None = None, idempotency_key: str | None = None
    ) -> m.DeploymentResponse:
        """With `if_version`, APIError 412 when the deployment is at another version."""
        return self._make("/deployments", m.DeploymentResponse, request, idempotency_key, if_version)

    def get_deployment(self, name: str) -> m.DeploymentResponse:
        return self._get(f"/deployments/{_part(name)}", m.DeploymentResponse)

    def list_deployments(
        self,
        *,
        limit: int = PAGE,
        cursor: str | None = None,
        flow_name: str | None = None,
        tags: m.Tags | None = None,
    ) -> m.DeploymentListResponse:
        return self._get(
            "/deployments",
            m.DeploymentListResponse,
            limit=limit,
            cursor=cursor,
            flow_name=flow_name,
            tag=_tag_filter(tags),
        )

    def iter_deployments(
        self, *, page: int = PAGE, flow_name: str | None = None, tags: m.Tags | None = None
    ) -> Iterator[m.DeploymentResponse]:
        return _all(lambda cursor: self.list_deployments(limit=page, cursor=cursor, flow_name=flow_name, tags=tags))

    def change_settings(
        self, name: str, request: m.DeploymentSettingsRequest, *, if_version: int | None = None
    ) -> m.DeploymentResponse:
        """With `if_version`, APIError 412 when the deployment is at another version."""
        path, is_conditional = f"/deployments/{_part(name)}/settings", request.deployment_version is not msgspec.UNSET
        return self._send(
            "PUT", path, m.DeploymentResponse, request, if_version=if_version, is_conditional=is_conditional
        )

    def iter_deployment_versions(self, name: str, *, page: int = PAGE) -> Iterator[m.DeploymentModel]:
        """Newest first."""
        path = f"/deployments/{_part(name)}/versions"
        return _all(lambda cursor: self._get(path, m.DeploymentVersionListResponse, limit=page, cursor=cursor))

    def roll_back(
        self, name: str, deployment_version: int | None = None, *, idempotency_key: str | None = None
    ) -> m.DeploymentResponse:
        """To that version; without one, to the newest earlier version that ran other code."""
        request = m.RollbackRequest(deployment_version=deployment_version)
        return self._make(f"/deployments/{_part(name)}/rollback", m.DeploymentResponse, request, idempotency_key)

    def delete_deployment(self, name: str) -> None:
        self._transport.send("DELETE", f"/deployments/{_part(name)}", is_done_when_absent=True)

    # --- runs -----------------------------------------------------------------------------------------------

    def trigger_run(
        self, request: m.RunRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> m.RunResponse:
        """Start a run. One call starts at most one, also when it is repeated inside; give a key of your own to make
        several calls one.
        """
        if not isinstance(request, m.RunRequest):
            request = _converted(request, m.RunRequest)
        return self._make("/runs", m.RunResponse, request, idempotency_key)

    def start_runs(
        self, request: m.RunBulkRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> m.RunBulkResponse:
        """Up to 100. When it fails halfway, a call with the same key goes on."""
        if not isinstance(request, m.RunBulkRequest):
            request = _converted(request, m.RunBulkRequest)
        return self._make("/runs/bulk", m.RunBulkResponse, request, idempotency_key)

    def get_run(self, run_id: str) -> m.RunResponse:
        return self._get(f"/runs/{_part(run_id)}", m.RunResponse)

    def list_runs(
        self,
        *,
        limit: int = PAGE,
        cursor: str | None = None,
        status: str | Sequence[str] | None = None,
        flow_name: str | None = None,
        deployment: str | None = None,
        trigger: str | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> m.RunListResponse:
        """Newest first. Several statuses: runs that have one of them. `after` and `before`: ISO 8601, not included."""
        return self._get(
            "/runs",
            m.RunListResponse,
            limit=limit,
            cursor=cursor,
            status=status,
            flow_name=flow_name,
            deployment=deployment,
            trigger=trigger,
            after=after,
            before=before,
        )

    def iter_runs(self, *, page: int = PAGE, **filters: Any) -> Iterator[m.RunResponse]:
        """Filters are those of `list_runs`."""
        return _all(lambda cursor: self.list_runs(limit=page, cursor=cursor, **filters))

    def cancel_run(self, run_id: str) -> m.RunResponse:
        return self._make(f"/runs/{_part(run_id)}/cancel", m.RunResponse)

    def cancel_runs(self, request: m.RunCancelRequest | Mapping[str, Any]) -> m.RunCancelResponse:
        """A page of those that match; `next_cursor` of the answer asks for the next."""
        if not isinstance(request, m.RunCancelRequest):
            request = _converted(request, m.RunCancelRequest)
        return self._make("/runs/cancel", m.RunCancelResponse, request)

    def iter_task_runs(self, run_id: str, *, page: int = PAGE) -> Iterator[m.TaskRunResponse]:
        """In the flow's order."""
        path = f"/runs/{_part(run_id)}/tasks"
        return _all(lambda cursor: self._get(path, m.TaskRunListResponse, limit=page, cursor=cursor))

    def list_events(self, run_id: str, *, limit: int = PAGE, after: str | None = None) -> m.EventListResponse:
        """Oldest first, those after the event with the id `after`."""
        return self._get(f"/runs/{_part(run_id)}/events", m.EventListResponse, limit=limit, after=after)

    def iter_events(self, run_id: str) -> Iterator[m.EventResponse]:
        """Oldest first."""
        return _all(lambda after: self.list_events(run_id, after=after))

    def get_logs(
        self, run_id: str, *, after: str | None = None, task_run_id: str | None = None, limit: int | None = None
    ) -> m.LogResponse:
        path = f"/runs/{_part(run_id)}/logs"
        return self._get(path, m.LogResponse, after=after, task_run_id=task_run_id, limit=limit)

    def get_result(self, run_id: str, *, task_run_id: str | None = None) -> m.ResultResponse:
        """What the flow returned, or one of its tasks."""
        of_task = f"/tasks/{_part(task_run_id)}" if task_run_id else ""
        return self._get(f"/runs/{_part(run_id)}{of_task}/result", m.ResultResponse)

    # --- dead letters ---------------------------------------------------------------------------------------

    def get_dead_letter(self, letter_id: str) -> m.DeadLetterResponse:
        return self._get(f"/dead-letters/{_part(letter_id)}", m.DeadLetterResponse)

    def iter_dead_letters(self, *, page: int = PAGE, run_id: str | None = None) -> Iterator[m.DeadLetterModel]:
        """Newest first, without their messages."""
        return _all(
            lambda cursor: self._get(
                "/dead-letters", m.DeadLetterListResponse, limit=page, cursor=cursor, run_id=run_id
            )
        )

    def replay_dead_letter(self, letter_id: str) -> m.DeadLetterResponse:
        """The letter, with the run that came of it. One that was replayed before is not replayed again."""
        return self._make(f"/dead-letters/{_part(letter_id)}/replay", m.DeadLetterResponse)

    # --- drafts ---------------------------------------------------------------------------------------------

    def create_draft(
        self, request: m.DagDraftCreateRequest, *, idempotency_key: str | None = None
    ) -> m.DagDraftResponse:
        return self._make("/drafts", m.DagDraftResponse, request, idempotency_key)

    def get_draft(self, draft_id: str) -> m.DagDraftResponse:
        return self._get(f"/drafts/{_part(draft_id)}", m.DagDraftResponse)

    def iter_drafts(self, *, page: int = PAGE, tags: m.Tags | None = None) -> Iterator[m.DagDraftModel]:
        """Newest first, without their canvases."""
        tag = _tag_filter(tags)
        return _all(lambda cursor: self._get("/drafts", m.DagDraftListResponse, limit=page, cursor=cursor, tag=tag))

    def change_draft(
        self, draft_id: str, request: m.DagDraftUpdateRequest, *, if_version: int | None = None
    ) -> m.DagDraftResponse:
        """With `if_version`, APIError 412 when the draft is at another version."""
        path, is_conditional = f"/drafts/{_part(draft_id)}", request.version is not None
        return self._send(
            "PUT", path, m.DagDraftResponse, request, if_version=if_version, is_conditional=is_conditional
        )

    def delete_draft(self, draft_id: str) -> None:
        self._transport.send("DELETE", f"/drafts/{_part(draft_id)}", is_done_when_absent=True)

    # --- dependency packages --------------------------------------------------------------------------------

    def register_package(self, request: m.PackageRegisterRequest) -> m.PackageResponse:
        return self._make("/packages", m.PackageResponse, request, None)

    def get_package(self, slug: str) -> m.PackageResponse:
        return self._get(f"/packages/{_part(slug)}", m.PackageResponse)

    def iter_packages(self, *, page: int = PAGE) -> Iterator[m.PackageResponse]:
        """Newest first."""
        return _all(lambda cursor: self._get("/packages", m.PackageListResponse, limit=page, cursor=cursor))

    def delete_package(self, slug: str) -> None:
        """Refused while a deployment has it."""
        self._transport.send("DELETE", f"/packages/{_part(slug)}", is_done_when_absent=True)

    # --- keys and identity ----------------------------------------------------------------------------------

    def create_key(self, request: m.KeyCreateRequest) -> m.KeyCreatedResponse:
        return self._make("/keys", m.KeyCreatedResponse, request)

    def iter_keys(self, *, page: int = PAGE) -> Iterator[m.KeyResponse]:
        return _all(lambda cursor: self._get("/keys", m.KeyListResponse, limit=page, cursor=cursor))

    def revoke_key(self, key_id: str) -> m.KeyResponse:
        return self._send("DELETE", f"/keys/{_part(key_id)}", m.KeyResponse)

    def list_users(self, *, limit: int = 60, cursor: str | None = None) -> m.UserListResponse:
        """At most 60 at a time."""
        return self._get("/users", m.UserListResponse, limit=limit, cursor=cursor)

    def iter_users(self) -> Iterator[m.UserResponse]:
        return _all(lambda cursor: self.list_users(cursor=cursor))

    def get_user(self, user: str) -> m.UserResponse:
        """`user` is an id or an email address, here and below."""
        return self._get(f"/users/{_part(user)}", m.UserResponse)

    def invite_user(self, request: m.UserInviteRequest) -> m.UserInvitedResponse:
        return self._make("/users", m.UserInvitedResponse, request)

    def set_user_role(self, user: str, role: str) -> m.UserResponse:
        return self._send("PUT", f"/users/{_part(user)}/role", m.UserResponse, m.UserRoleRequest(role=role))

    def disable_user(self, user: str) -> m.UserResponse:
        return self._make(f"/users/{_part(user)}/disable", m.UserResponse)

    def enable_user(self, user: str) -> m.UserResponse:
        return self._make(f"/users/{_part(user)}/enable", m.UserResponse)

    def remove_user(self, user: str) -> m.UserResponse:
        """The user as it was."""
        return self._send("DELETE", f"/users/{_part(user)}", m.UserResponse)

    def list_audit(
        self, *, limit: int = PAGE, cursor: str | None = None, actor: str | None = None, resource: str | None = None
    ) -> m.AuditListResponse:
        """Who changed what, newest first."""
        return self._get("/audit", m.AuditListResponse, limit=limit, cursor=cursor, actor=actor, resource=resource)

    def iter_audit(self, *, actor: str | None = None, resource: str | None = None) -> Iterator[m.AuditEntryResponse]:
        return _all(lambda cursor: self.list_audit(cursor=cursor, actor=actor, resource=resource))

    def whoami(self) -> m.WhoamiResponse:
        return self._get("/whoami", m.WhoamiResponse)

    def logout(self) -> None:
        """Make the token of a sign-in worthless, for everybody who has it. For an API key: 409, it stays good."""
        self._transport.send("POST", "/logout")

    def stage(self) -> m.StageResponse:
        return self._get("/stage", m.StageResponse)

    def openapi(self) -> m.OpenApiResponse:
        return self._get("/openapi.json", m.OpenApiResponse)

    def health(self) -> m.HealthResponse:
        return self._get("/health", m.HealthResponse)

    # --- how ------------------------------------------------------------------------------------------------

    def _get(self, path: str, answer: type[T], **query: Any) -> T:
        return _decoded(self._transport.send("GET", path, query=query), answer)

    def _make(
        self,
        path: str,
        answer: type[T],
        body: m.Request | None = None,
        idempotency_key: str | None = None,
        if_version: int | None = None,
    ) -> T:
        """A POST that can be repeated: one call does one thing, however often it is sent."""
        return self._send("POST", path, answer, body, idempotency_key or uuid.uuid4().hex, if_version=if_version)

    def _send(
        self,
        method: str,
        path: str,
        answer: type[T],
        body: m.Request | None = None,
        idempotency_key: str | None = None,
        **conditions: Any,
    ) -> T:
        encoded = msgspec.json.encode(body) if body is not None else None
        data = self._transport.send(method, path, body=encoded, idempotency_key=idempotency_key, **conditions)
        return _decoded(data, answer)


def connect(profile: Profile, *, once_within_s: float | None = None) -> DagyClient:
    """The client for the API of a profile. With `once_within_s`, nothing is repeated, and no answer waited for longer:
    for what must not keep anybody waiting.

    Raises: InvalidInput when the profile has none.
    """
    api_url = resolve_api_url(profile)
    if api_url is None:
        raise InvalidInput("Missing Dagy API URL. Set DAGY_API_URL or run 'dagy config'.")
    if once_within_s is not None:
        return DagyClient(api_url, profile=profile.name, timeout_s=once_within_s, retrying=Retrying(attempts=1))
    return DagyClient(api_url, profile=profile.name)


def _all(page: Callable[[str | None], Any]) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        answer = page(cursor)
        yield from answer.items
        if answer.next_cursor is None:
            return
        cursor = answer.next_cursor


def _tag_filter(tags: m.Tags | None) -> list[str]:
    return [f"{key}:{value}" for key, value in (tags or {}).items()]


def _part(text: str) -> str:
    return quote(text, safe="")


def _converted(values: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"Not a {kind.__name__}: {error}") from error


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "Is the URL that of a Dagy API? Does its version fit this client's?"
        raise APIError(200, f"The answer is not a {kind.__name__}: {error}", "bad_answer", hint) from error
