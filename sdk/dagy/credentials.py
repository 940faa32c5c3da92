"""Tokens: which one goes with a request, and where they are kept.

`DAGY_API_KEY` or `DAGY_TOKEN` in the environment win; then the profile's API key, then the access token of the last
sign-in, both from `credentials`, a JSON file that only its owner may read. Tokens appear in no message.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dagy.core.errors import InvalidInput, TokenExpiredError
from dagy.local.paths import local_dir
from dagy.private_files import locked, read_private, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the file holds. `expires_at` is in seconds since the epoch, 0 when unknown."""

    access_token: str | None = field(default=None, repr=False)
    expires_at: float = 0
    user_email: str = ""
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # by profile


def credentials_path() -> Path:
    return local_dir() / "credentials"


def read_credentials() -> Credentials:
    """Raises: InvalidInput for a file that is not ours; it stays as it is."""
    return _checked(_read_raw())


def resolve_token(
    profile: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
) -> str | None:
    """The token to send for this profile; None means to ask without one.

    Raises: TokenExpiredError when the only one there is has expired; InvalidInput for a file that cannot be read.
    """
    given = environ.get("DAGY_API_KEY") or environ.get("DAGY_TOKEN")
    if given:
        return given
    stored = read_credentials()
    if profile is not None and profile in stored.api_keys:
        return stored.api_keys[profile]
    if stored.access_token and stored.expires_at and stored.expires_at <= now():
        expired_at = datetime.fromtimestamp(stored.expires_at, timezone.utc)
        raise TokenExpiredError(expired_at.strftime("%Y-%m-%dT%H:%M:%SZ"), profile)
    return stored.access_token


def save_credentials(access_token: str, expires_at: float, user_email: str) -> None:
    """Keep the outcome of a sign-in. API keys stay."""
    with _editing() as raw:
        raw.update(access_token=access_token, expires_at=expires_at, user_email=user_email)


def delete_credentials() -> None:
    """Forget the sign-in; API keys stay. A repeat is fine. The file goes when nothing else is in it."""
    with _editing() as raw:
        for key in ("access_token", "expires_at", "user_email"):
            raw.pop(key, None)


def save_api_key(profile: str, api_key: str | None) -> None:
    """Keep a profile's API key, or with None forget it."""
    with _editing() as raw:
        entry = raw.setdefault("profiles", {}).setdefault(profile, {})
        entry["api_key"] = api_key
        if api_key is None:
            del raw["profiles"][profile]
        if not raw["profiles"]:
            del raw["profiles"]


@contextmanager
def _editing() -> Iterator[dict[str, Any]]:
    """The file as a dict, to be changed in place; written when the block ends well. Raises what reading raises:
    unlike a configuration, a token that cannot be read is not simply set aside.
    """
    path = credentials_path()
    with locked(path):
        raw = _read_raw()
        _checked(raw)
        yield raw
        if raw:
            write_private(path, json.dumps(raw, indent=2) + "\n")
        else:
            path.unlink(missing_ok=True)


def _read_raw() -> dict[str, Any]:
    text = read_private(credentials_path())
    if not text:
        return {}
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable("it is not JSON") from error
    if not isinstance(raw, dict):
        raise _unreadable("it must be an object")
    return raw


def _checked(raw: Mapping[str, Any]) -> Credentials:
    token, email = raw.get("access_token"), raw.get("user_email", "")
    expires_at, profiles = raw.get("expires_at", 0), raw.get("profiles", {})
    if token is not None and not isinstance(token, str):
        raise _unreadable("access_token must be text")
    if not isinstance(email, str):
        raise _unreadable("user_email must be text")
    if isinstance(expires_at, bool) or not isinstance(expires_at, (int, float)) or not 0 <= expires_at < 1e11:
        raise _unreadable("expires_at must be seconds since the epoch")
    if not isinstance(profiles, dict):
        raise _unreadable("profiles must be an object")
    return Credentials(token, expires_at, email, {name: _api_key(name, data) for name, data in profiles.items()})


def _api_key(profile: str, data: Any) -> str:
    if not isinstance(data, dict) or not isinstance(data.get("api_key"), str):
        raise _unreadable(f"profile {profile!r} must have an api_key")
    return str(data["api_key"])


def _unreadable(why: str) -> InvalidInput:
    return InvalidInput(f"Cannot read {credentials_path()}: {why}", "Correct or delete it, then sign in again.")
