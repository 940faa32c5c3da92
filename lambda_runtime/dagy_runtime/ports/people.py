"""Who may come in and what they did: values and ports.

People sign in with the stage's user pool and come with its tokens. What a token cannot know, because it came about
after the token was made (a new role, a disabled user, a session that was ended), stands in `Sessions`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from msgspec import Struct

from dagy_runtime.values import Page, Role


class RsaKey(Struct, frozen=True):
    """The public half of a key that tokens are signed with."""

    n: int
    e: int


class User(Struct, frozen=True):
    """`role` None: in no group, so signed in but not let in. `status` is Cognito's word for how far the account is."""

    id: str
    email: str
    role: Role | None
    is_enabled: bool
    status: str
    created_at: str


class Ruling(Struct, frozen=True):
    """The role that counts for tokens made before `at` (seconds since the epoch), whatever they say."""

    role: Role
    at: float


class Standing(Struct, frozen=True):
    """What is known of a user and one session. `email` None: this user has not been seen before. Tokens made before
    `void_at` are worth nothing; neither are those of a session that `is_ended`.
    """

    email: str | None = None
    ruling: Ruling | None = None
    void_at: float | None = None
    is_ended: bool = False


class AuditEntry(Struct, frozen=True):
    """Somebody changed something. `action` is like `deployments.delete`, `resource` like `deployments/daily`."""

    id: str
    at: str
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    resource: str
    request_id: str


class PublicKeys(Protocol):
    """The keys that the user pool signs with."""

    def fetch(self) -> Mapping[str, RsaKey]:
        """All of them by key id, as they are now. Raises: Unavailable."""


class Directory(Protocol):
    """The users of the stage's pool. `user` is an id or an email address. Every method raises Conflict in a stage that
    has no pool.
    """

    def get(self, user: str) -> User | None: ...

    def list_users(self, *, limit: int, cursor: str | None = None) -> Page:
        """In the pool's order, at most 60 at a time, which may be fewer than `limit`."""

    def invite(self, email: str, role: Role, *, password: str | None) -> User:
        """Make a user who has to choose a password at the first sign-in. With `password` no email is sent, and that one
        is good until then. Raises: Conflict when there is one with that address; InvalidInput for one that is none.
        """

    def set_role(self, user: str, role: Role) -> User | None:
        """A repeat changes nothing. A crash on the way may leave the user in two groups, of which the higher counts.
        None: there is no such user.
        """

    def set_enabled(self, user: str, is_enabled: bool) -> User | None:
        """A disabled user cannot sign in and has no session left. A repeat changes nothing. None: there is none."""

    def remove(self, user: str) -> User | None:
        """Whoever is invited with that address later is somebody else. The user as it was; None: there is none."""


class Sessions(Protocol):
    """What tokens cannot know."""

    def standing(self, user_id: str, session_id: str) -> Standing: ...

    def remember(self, user_id: str, email: str) -> None:
        """How the user is shown. All else stays, here and below."""

    def rule(self, user_id: str, ruling: Ruling) -> None:
        """The last one counts."""

    def void(self, user_id: str, *, at: float) -> None:
        """The user's tokens up to that time are worth nothing, for ever."""

    def end(self, session_id: str, *, until: float) -> None:
        """Remembered until that time at least, when the last token of the session has expired."""


class AuditLog(Protocol):
    """Who did what. Entries are kept for 400 days."""

    def append(self, entry: AuditEntry) -> None:
        """A repeat changes nothing."""

    def list_entries(
        self, *, limit: int, cursor: str | None = None, actor: str | None = None, resource: str | None = None
    ) -> Page:
        """Newest first. `actor` is an id or a name, `resource` matches itself and what lies below it. A page may be
        short, or empty, with a cursor: then what was looked at did not match.
        """


class CodeExchange(Protocol):
    """The end of a sign-in in the browser."""

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> tuple[str, str] | None:
        """Access token and id token; None when the code is not good (any more). A repeat gives None.

        Raises: Unavailable.
        """


def highest_role(groups: Collection[str]) -> Role | None:
    """Of somebody in these groups of the pool."""
    return max((role for role in Role if role.value in groups), key=list(Role).index, default=None)


def is_about(entry: AuditEntry, *, actor: str | None, resource: str | None) -> bool:
    if actor is not None and actor not in (entry.actor_id, entry.actor_name):
        return False
    return resource is None or entry.resource == resource or entry.resource.startswith(f"{resource}/")
