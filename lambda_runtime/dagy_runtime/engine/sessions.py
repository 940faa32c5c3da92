"""What is known of a user and a session beyond the token, kept for half a minute: so a new role, a disabled user or the
end of a session counts everywhere within that time, and at once where it was made.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from dagy_runtime.engine.tokens import LEEWAY_S, Claims
from dagy_runtime.ports import Clock
from dagy_runtime.ports.people import Sessions, Standing
from dagy_runtime.values import Role

KEPT_S: Final = 30.0
MAX_KEPT: Final = 1000


class SessionBook:
    """Thread-safe."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[float, Standing]] = OrderedDict()

    def standing(self, claims: Claims) -> Standing:
        """At most half a minute old."""
        of, now = (claims.user_id, claims.session_id), self._clock.now()
        with self._lock:
            kept = self._kept.get(of)
        if kept is not None and 0 <= now - kept[0] < KEPT_S:
            return kept[1]
        found = self._sessions.standing(*of)
        with self._lock:
            self._kept[of] = (now, found)
            self._kept.move_to_end(of)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """After a change, so that whoever made it sees it."""
        with self._lock:
            self._kept.clear()


def is_void(claims: Claims, standing: Standing) -> bool:
    is_too_old = standing.void_at is not None and claims.issued_at <= standing.void_at + LEEWAY_S
    return standing.is_ended or is_too_old


def role_of(claims: Claims, standing: Standing) -> Role | None:
    """The token's own, unless the user's role was changed after it was made."""
    ruling = standing.ruling
    is_newer = ruling is not None and claims.issued_at <= ruling.at + LEEWAY_S
    return ruling.role if ruling is not None and is_newer else claims.role
