"""Who asks, and what was answered: API keys, and requests that come again."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dagy_runtime.values import ApiKey, Page


class Keys(Protocol):
    """API keys."""

    def put_key(self, key: ApiKey) -> None:
        """Raises: Conflict when a key of that id exists."""

    def get_key(self, key_id: str) -> ApiKey | None: ...

    def list_keys(self, *, limit: int, cursor: str | None = None) -> Page:
        """Newest first, revoked ones included."""

    def revoke_key(self, key_id: str, *, at: str) -> ApiKey | None:
        """The key as it stands: the first revocation's time stays. None when there is none."""


class Begun(Struct, frozen=True):
    """The request is ours to carry out."""


class UnderWay(Struct, frozen=True):
    """Somebody else carries it out this moment."""


class Remembered(Struct, frozen=True):
    """It was carried out. `body` is None when the answer was not to be kept, or too large."""

    status: int
    body: bytes | None


class Answers(Protocol):
    """Answers to requests with an idempotency key, so that a repeat gets the first one's. Kept for a day at least."""

    def begin(
        self, key: str, *, request_hash: str, owner: str, now: float, lease_s: float
    ) -> Begun | UnderWay | Remembered:
        """Take the key for a request. One that began and was never finished can be taken again after `lease_s`.

        Raises: Conflict when the key was used for another request.
        """

    def finish(self, key: str, *, owner: str, status: int, body: bytes | None) -> None:
        """Keep the answer, unless somebody else has taken the key since."""

    def give_up(self, key: str, *, owner: str) -> None:
        """Let the next who comes begin at once."""
