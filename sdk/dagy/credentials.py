"""Tokens: which one goes with a request, and where they are kept.

`DAGY_API_KEY` or `DAGY_TOKEN` in the environment win; then the profile's API key, then the access token of the last
sign-in, both from `credentials`, a JSON file that only its owner may read. Tokens appear in no message.

What is stored goes only to the host it was stored for: a `DAGY_API_URL` that some script has set must not be enough to
have a key sent to whoever set it. What the environment gives goes wherever the same environment says.
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

from dagy.core.errors import InvalidInput, TokenExpiredError, Unauthenticated
from dagy.local.paths import local_dir
from dagy.origin import origin_of
from dagy.private_files import locked, read_private, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the file holds. `expires_at` is in seconds since the epoch, 0 when unknown. `origin` and `key_origins` say
    which hosts the tokens are for; one without goes nowhere.
    """

    access_token: str | None = field(default=None, repr=False)
    expires_at: float = 0
    user_email: str = ""
    origin: str | None = None
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # by profile
    key_origins: Mapping[str, str] = field(default_factory=dict)  # by profile


def credentials_path() -> Path:
    return local_dir() / "credentials"


def read_credentials() -> Credentials:
    """Raises: InvalidInput for a file that is not ours; it stays as it is."""
    return _checked(_read_raw())


@dataclass(frozen=True, slots=True)
class Credential:
    """The token that goes with requests. `source` is the variable that holds it, `profile` for a profile's API key, or
    `sign-in`. Only a sign-in tells when it expires and whose it is.
    """

    token: str = field(repr=False)
    source: str
    expires_at: float = 0
    user_email: str = ""

    @property
    def key_id(self) -> str | None:
        """The public part of an API key."""
        parts = self.token.split("_", 2)
        return parts[1] if len(parts) == 3 and parts[0] == "dgy" else None

    @property
    def label(self) -> str:
        """What it is, without what it opens."""
        return f"API key {self.key_id}" if self.key_id else self.user_email or "token"

    def check_fresh(self, profile: str | None, *, now: float) -> None:
        """Raises: TokenExpiredError, which says how to get another."""
        if self.expires_at and self.expires_at <= now:
            expired_at = datetime.fromtimestamp(self.expires_at, timezone.utc)
            raise TokenExpiredError(expired_at.strftime("%Y-%m-%dT%H:%M:%SZ"), profile)


def resolve_token(
    profile: str | None = None,
    *,
    api_url: str,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
) -> str | None:
    """The token to send to the API at `api_url` for this profile; None means to ask without one.

    Raises: TokenExpiredError when the only one there is has expired, and what `find_credential` raises.
    """
    found = find_credential(profile, api_url=api_url, environ=environ)
    if found is None:
        return None
    found.check_fresh(profile, now=now())
    return found.token


def find_credential(
    profile: str | None = None, *, api_url: str | None, environ: Mapping[str, str] = os.environ
) -> Credential | None:
    """The credential for the API at `api_url`, expired or not; without an API, the one that its own API would get.

    Raises: Unauthenticated when what is stored is for other hosts; InvalidInput for a file that cannot be read.
    """
    for variable in ("DAGY_API_KEY", "DAGY_TOKEN"):
        if environ.get(variable):
            return Credential(environ[variable], variable)
    stored, origin = read_credentials(), origin_of(api_url) if api_url is not None else None
    key = stored.api_keys.get(profile) if profile is not None else None
    if key is not None and (api_url is None or stored.key_origins.get(str(profile)) == origin):
        return Credential(key, "profile")
    if stored.access_token and (api_url is None or stored.origin == origin):
        return Credential(stored.access_token, "sign-in", stored.expires_at, stored.user_email)
    if key is not None:
        raise _elsewhere(f"The API key of profile '{profile}'", stored.key_origins.get(str(profile)), origin, environ)
    if stored.access_token:
        raise _elsewhere("Your sign-in", stored.origin, origin, environ)
    return None


def save_credentials(access_token: str, expires_at: float, user_email: str, *, api_url: str) -> None:
    """Keep the outcome of a sign-in to the API at `api_url`. API keys stay."""
    with _editing() as raw:
        raw.update(access_token=access_token, expires_at=expires_at, user_email=user_email, origin=origin_of(api_url))


def delete_credentials() -> None:
    """Forget the sign-in; API keys stay. A repeat is fine. The file goes when nothing else is in it."""
    with _editing() as raw:
        for key in ("access_token", "expires_at", "user_email", "origin"):
            raw.pop(key, None)


def save_api_key(profile: str, api_key: str, *, api_url: str) -> None:
    """Keep a profile's API key, which is for the API at `api_url` and is sent nowhere else."""
    with _editing() as raw:
        entry = raw.setdefault("profiles", {}).setdefault(profile, {})
        entry.update(api_key=api_key, origin=origin_of(api_url))


def forget_api_key(profile: str) -> None:
    """A repeat is fine."""
    with _editing() as raw:
        if raw.get("profiles", {}).pop(profile, None) is not None and not raw["profiles"]:
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
    return Credentials(
        token,
        expires_at,
        email,
        origin=_origin(raw, "origin"),
        api_keys={name: _api_key(name, data) for name, data in profiles.items()},
        key_origins={
            name: origin for name, data in profiles.items() if (origin := _origin(data, f"origin of profile {name!r}"))
        },
    )


def _api_key(profile: str, data: Any) -> str:
    if not isinstance(data, dict) or not isinstance(data.get("api_key"), str):
        raise _unreadable(f"profile {profile!r} must have an api_key")
    return str(data["api_key"])


def _origin(data: Mapping[str, Any], what: str) -> str | None:
    origin = data.get("origin")
    if origin is not None and not isinstance(origin, str):
        raise _unreadable(f"{what} must be text")
    return origin


def _elsewhere(what: str, bound: str | None, asked: str | None, environ: Mapping[str, str]) -> Unauthenticated:
    by = " (DAGY_API_URL says so)" if asked and origin_of(environ.get("DAGY_API_URL", "")) == asked else ""
    back = f"To use {bound} again, {'unset DAGY_API_URL' if by else 'set api_url back'}. " if bound else ""
    return Unauthenticated(
        f"{what} is for {bound or 'an unknown host'}, so it is not sent to {asked}{by}",
        f"{back}If {asked} is the API you mean, sign in to it (dagy login) or give a key of its own: DAGY_API_KEY, or "
        "dagy keys create --via-aws --save-profile.",
    )


def _unreadable(why: str) -> InvalidInput:
    return InvalidInput(f"Cannot read {credentials_path()}: {why}", "Correct or delete it, then sign in again.")
