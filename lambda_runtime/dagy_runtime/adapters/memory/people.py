"""Users, sessions, keys and the audit log in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters.cursors import list_id
from dagy_runtime.adapters.memory.pages import page_of
from dagy_runtime.adapters.rules import checked_email, user_exists
from dagy_runtime.ports import Clock
from dagy_runtime.ports.people import AuditEntry, RsaKey, Ruling, Standing, User, is_about
from dagy_runtime.values import Page, Role


class MemoryPublicKeys:
    """`keys` None: nobody answers. `asked` counts."""

    def __init__(self, keys: Mapping[str, RsaKey] | None = None) -> None:
        self.keys = keys
        self.asked = 0

    def fetch(self) -> Mapping[str, RsaKey]:
        self.asked += 1
        if self.keys is None:
            raise Unavailable("The user pool did not answer")
        return self.keys


class MemoryDirectory:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._numbers = itertools.count()

    def get(self, user: str) -> User | None:
        with self._lock:
            return self._find(user)

    def list_users(self, *, limit: int, cursor: str | None = None) -> Page:
        with self._lock:
            users = list(self._users.values())
        return page_of(
            users,
            sort_key=lambda one: one.id,
            list_name=list_id("users"),
            limit=min(limit, 60),
            cursor=cursor,
            newest=False,
        )

    def invite(self, email: str, role: Role, *, password: str | None) -> User:
        checked_email(email)
        with self._lock:
            if self._find(email) is not None:
                raise user_exists(email)
            user = User(
                id=str(uuid5(NAMESPACE_URL, f"mailto:{email.lower()}#{next(self._numbers)}")),
                email=email,
                role=role,
                is_enabled=True,
                status="FORCE_CHANGE_PASSWORD",
                created_at=to_iso(self._clock.now()),
            )
            self._users[user.id] = user
            return user

    def set_role(self, user: str, role: Role) -> User | None:
        return self._changed(user, role=role)

    def set_enabled(self, user: str, is_enabled: bool) -> User | None:
        return self._changed(user, is_enabled=is_enabled)

    def remove(self, user: str) -> User | None:
        with self._lock:
            found = self._find(user)
            return self._users.pop(found.id) if found is not None else None

    def _changed(self, user: str, **changes: object) -> User | None:
        with self._lock:
            found = self._find(user)
            if found is not None:
                self._users[found.id] = replace(found, **changes)
                return self._users[found.id]
            return None

    def _find(self, user: str) -> User | None:
        return next((one for one in self._users.values() if user == one.id or user.lower() == one.email.lower()), None)


class MemoryExchange:
    """Codes that are good once, each with the verifier and the address it was made for, and its two tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.codes: dict[tuple[str, str, str], tuple[str, str]] = {}

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> tuple[str, str] | None:
        with self._lock:
            return self.codes.pop((code, verifier, redirect_uri), None)


class MemorySessions:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, Standing] = {}
        self._ended: set[str] = set()

    def standing(self, user_id: str, session_id: str) -> Standing:
        with self._lock:
            return replace(self._users.get(user_id, Standing()), is_ended=session_id in self._ended)

    def remember(self, user_id: str, email: str) -> None:
        self._change(user_id, email=email)

    def rule(self, user_id: str, ruling: Ruling) -> None:
        self._change(user_id, ruling=ruling)

    def void(self, user_id: str, *, at: float) -> None:
        self._change(user_id, void_at=at)

    def end(self, session_id: str, *, until: float) -> None:
        with self._lock:
            self._ended.add(session_id)

    def _change(self, user_id: str, **changes: object) -> None:
        with self._lock:
            self._users[user_id] = replace(self._users.get(user_id, Standing()), **changes)


class MemoryAuditLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, AuditEntry] = {}

    def append(self, entry: AuditEntry) -> None:
        with self._lock:
            self._entries.setdefault(entry.id, entry)

    def list_entries(
        self, *, limit: int, cursor: str | None = None, actor: str | None = None, resource: str | None = None
    ) -> Page:
        with self._lock:
            entries = list(self._entries.values())
        return page_of(
            (entry for entry in entries if is_about(entry, actor=actor, resource=resource)),
            sort_key=lambda entry: f"{entry.at[:7]}#{entry.id}",
            list_name=list_id("audit", actor, resource),
            limit=limit,
            cursor=cursor,
            newest=True,
        )
