"""API keys, users, who one is, and the audit log."""

from __future__ import annotations

from typing import List, Optional

from dagy.client.models.base import Request, Response


class KeyCreateRequest(Request):
    """`expires_in_days` null means it never expires."""

    name: str
    role: str = "developer"
    expires_in_days: Optional[int] = 90


class KeyResponse(Response):
    id: str
    name: str
    role: str
    created_at: str
    created_by: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    warning: Optional[str] = None  # what the caller should know about the change just made


class KeyCreatedResponse(Response):
    """`key` is shown here and never again."""

    key: str
    id: str
    name: str
    role: str
    expires_at: Optional[str]


class KeyListResponse(Response):
    items: List[KeyResponse]
    next_cursor: Optional[str] = None


class UserInviteRequest(Request):
    """`sends_email` false: the answer holds the temporary password, to be handed over some other way."""

    email: str
    role: str = "viewer"
    sends_email: bool = True


class UserRoleRequest(Request):
    role: str


class UserResponse(Response):
    """`role` null: in no group of the pool, so not let in. `status` is Cognito's, `FORCE_CHANGE_PASSWORD` until the
    first sign-in.
    """

    id: str
    email: str
    role: Optional[str]
    is_enabled: bool
    status: str
    created_at: str


class UserInvitedResponse(UserResponse):
    temporary_password: Optional[str] = None  # shown here and never again


class UserListResponse(Response):
    items: List[UserResponse]
    next_cursor: Optional[str] = None


class AuditEntryResponse(Response):
    id: str
    at: str
    actor_kind: str  # `key`, `user` or `aws`
    actor_id: str
    actor_name: str
    action: str
    resource: str
    request_id: str


class AuditListResponse(Response):
    """A page may be short, or empty, with a cursor: then what was looked at did not match."""

    items: List[AuditEntryResponse]
    next_cursor: Optional[str] = None


class WhoamiResponse(Response):
    kind: str  # `key` or `user`
    id: str
    name: str
    role: str
    expires_at: Optional[str]
    stage: str
