"""The stage's users: list, look up, invite, give a role, disable, enable, remove. Changes count within half a minute
everywhere.
"""

from __future__ import annotations

from dagy.client import models as m
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy_runtime.api.context import Context
from dagy_runtime.api.queries import PageQuery
from dagy_runtime.ports.people import Ruling, User
from dagy_runtime.values import Role


def list_users(ctx: Context, query: PageQuery) -> m.UserListResponse:
    page = ctx.ports.directory.list_users(limit=query.limit, cursor=query.cursor)
    return m.UserListResponse(items=[_view(user) for user in page.items], next_cursor=page.cursor)


def get_user(ctx: Context, *, user: str) -> m.UserResponse:
    return _view(_found(ctx.ports.directory.get(user), user))


def invite_user(ctx: Context, body: m.UserInviteRequest) -> m.UserInvitedResponse:
    """A repeat is a Conflict."""
    password = None if body.sends_email else f"{ctx.ports.ids.secret()[:20]}-aA1"  # of every kind that pools ask for
    user = ctx.ports.directory.invite(body.email, _role(body.role), password=password)
    ctx.ports.sessions.remember(user.id, user.email)
    return m.UserInvitedResponse(
        id=user.id,
        email=user.email,
        role=body.role,
        is_enabled=user.is_enabled,
        status=user.status,
        created_at=user.created_at,
        temporary_password=password,
    )


def set_role(ctx: Context, body: m.UserRoleRequest, *, user: str) -> m.UserResponse:
    role = _role(body.role)
    _check_not_oneself(ctx, user, "take the role of admin from")
    changed = _found(ctx.ports.directory.set_role(user, role), user)
    ctx.ports.sessions.rule(changed.id, Ruling(role, ctx.ports.clock.now()))
    ctx.forget_sessions()
    return _view(changed)


def disable_user(ctx: Context, *, user: str) -> m.UserResponse:
    """The tokens that the user has are worth nothing from now on, for ever."""
    _check_not_oneself(ctx, user, "disable")
    changed = _found(ctx.ports.directory.set_enabled(user, False), user)
    ctx.ports.sessions.void(changed.id, at=ctx.ports.clock.now())
    ctx.forget_sessions()
    return _view(changed)


def enable_user(ctx: Context, *, user: str) -> m.UserResponse:
    return _view(_found(ctx.ports.directory.set_enabled(user, True), user))


def remove_user(ctx: Context, *, user: str) -> m.UserResponse:
    """Whatever tokens the user has are worth nothing from now on, also to whoever gets the address next. A user whose
    removal was cut short can be removed again: the tokens go first.
    """
    _check_not_oneself(ctx, user, "remove")
    found = _found(ctx.ports.directory.get(user), user)
    ctx.ports.sessions.void(found.id, at=ctx.ports.clock.now())
    ctx.forget_sessions()
    return _view(_found(ctx.ports.directory.remove(found.id), user))


def _role(text: str) -> Role:
    if text not in Role._value2member_map_:
        raise InvalidInput(f"Unknown role {text[:50]!r}", f"One of {', '.join(Role)}.")
    return Role(text)


def _check_not_oneself(ctx: Context, user: str, deed: str) -> None:
    """So that nobody locks the door from outside."""
    caller = ctx.caller
    if caller.kind == "user" and user.lower() in (caller.id.lower(), caller.name.lower()):
        raise Conflict(f"You cannot {deed} yourself", "Ask another admin, or use an API key made with --via-aws.")


def _found(user: User | None, name: str) -> User:
    if user is None:
        raise NotFound("user", name[:100], "`dagy users list` shows those there are.")
    return user


def _view(user: User) -> m.UserResponse:
    return m.UserResponse(
        id=user.id,
        email=user.email,
        role=user.role.value if user.role else None,
        is_enabled=user.is_enabled,
        status=user.status,
        created_at=user.created_at,
    )
