"""Profiles: which environment Dagy talks to, and how its user likes tables. They stand in `config.yaml`.

The profile is the one named by the caller (`--profile`), else by `DAGY_PROFILE`, else by `default_profile`, else the
first in the alphabet. Its API is the one in `DAGY_API_URL`, else its own `api_url`; without either, everything
is local. `dagy.explain` tells all of it, with where each value comes from.

Reading never changes the file. Writing is atomic, one writer at a time, and keeps fields it does not know.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.names import did_you_mean
from dagy.credentials import forget_api_key, save_api_key
from dagy.local.paths import local_dir
from dagy.private_files import locked, read_private, write_private

DEFAULT_APP_URL: Final = "https://dagy.io"
DEFAULT_TABLE_FORMAT: Final = "heavy_grid"
DEFAULT_REGION: Final = "us-east-1"
FILE_VERSION: Final = 1
PRODUCTION: Final = ("prod", "production")
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_HOST: Final = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment. `name` None: no profile exists, and nothing is known but defaults.

    `endpoint_url` is set when AWS itself is elsewhere: the local cloud. `confirm` says whether commands that change the
    stage ask first; None leaves it to the names. `issuer` and `client_id` say who signs users in, when `dagy login` may
    exchange a code for a token itself.
    """

    name: str | None = None
    api_url: str | None = None
    app_url: str | None = None
    table_format: str = DEFAULT_TABLE_FORMAT
    stage: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    confirm: bool | None = None
    issuer: str | None = None
    client_id: str | None = None
    last_updated: str | None = None

    @property
    def is_production(self) -> bool:
        """Whether commands that change the stage have the profile's name typed first."""
        if self.confirm is not None:
            return self.confirm
        return self.name in PRODUCTION or self.stage in PRODUCTION


SETTABLE: Final = tuple(f.name for f in fields(Profile) if f.name not in ("name", "last_updated"))


@dataclass(frozen=True, slots=True)
class Config:
    """What `config.yaml` says."""

    default_profile: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)


def config_path() -> Path:
    return local_dir() / "config.yaml"


# --- reading ------------------------------------------------------------------------------------------------


def read_config() -> Config:
    """What the file says; an empty configuration when there is none.

    Raises: InvalidInput, naming what is wrong where. The file stays as it is.
    """
    return _checked(_read_raw(config_path()))


def resolve_profile(name: str | None = None, *, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile in force, when the caller named `name` or nothing.

    Raises: NotFound for a name that does not exist; InvalidInput for a file that cannot be read.
    """
    return choose_profile(read_config(), name, environ=environ)[0]


def choose_profile(
    config: Config, name: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> tuple[Profile, str]:
    """The profile in force, and what made it that. Raises: NotFound."""
    chosen, reason = _chosen_name(config, name, environ)
    if chosen is None:
        return Profile(), reason
    if chosen not in config.profiles:
        raise _unknown(chosen, config.profiles)
    return config.profiles[chosen], reason


def resolve_api_url(profile: Profile, *, environ: Mapping[str, str] = os.environ) -> str | None:
    """Where the API of this profile is; None means that everything is local."""
    return environ.get("DAGY_API_URL") or profile.api_url


def resolve_app_url(profile: Profile, *, environ: Mapping[str, str] = os.environ) -> str:
    """Where people sign in."""
    return environ.get("DAGY_APP_URL") or profile.app_url or DEFAULT_APP_URL


def resolve_region(profile: Profile, *, environ: Mapping[str, str] = os.environ) -> str:
    """The region of the profile's stage; without one, the shell's. The profile wins because the shell's region is set
    for whatever else the shell is used for, while a stage is in one region only.
    """
    return profile.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def _chosen_name(config: Config, name: str | None, environ: Mapping[str, str]) -> tuple[str | None, str]:
    if name:
        return name, "--profile"
    if environ.get("DAGY_PROFILE"):
        return environ["DAGY_PROFILE"], "DAGY_PROFILE"
    if config.default_profile:
        return config.default_profile, "default_profile"
    if config.profiles:
        return min(config.profiles), "the first profile"
    return None, "no profile exists"


# --- writing ------------------------------------------------------------------------------------------------


def write_profile(
    name: str,
    *,
    api_url: str | None = None,
    app_url: str | None = None,
    table_format: str | None = None,
    stage: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    confirm: bool | None = None,
    issuer: str | None = None,
    client_id: str | None = None,
    api_key: str | None = None,
    is_default: bool = False,
    exists: bool | None = None,
) -> Profile:
    """Create the profile or change the fields given; the others stay. The first profile becomes the default one.
    `exists` is what the caller takes for granted about the profile.

    The API key goes to the credentials file, bound to the profile's API. A file that cannot be read is set aside
    first, as `config.bak-<timestamp>.yaml`, with a warning. A repeat changes only `last_updated`.

    Raises: InvalidInput for a name or URL that cannot be, or a key of a profile without an API; Conflict for a profile
    that exists and should not, NotFound for one that should; nothing is written then.
    """
    given: dict[str, str | bool | None] = {
        "api_url": api_url,
        "app_url": app_url,
        "table_format": table_format,
        "stage": stage,
        "region": region,
        "endpoint_url": endpoint_url,
        "confirm": confirm,
        "issuer": issuer,
        "client_id": client_id,
    }
    checked_profile_name(name)
    for key in ("api_url", "app_url", "endpoint_url", "issuer"):
        if given[key] is not None:
            checked_url(str(given[key]))
    with _editing(sets_aside=True) as raw:
        if exists is False and name in raw["profiles"]:
            raise Conflict(f"Profile '{name}' exists", "Change it with: dagy config")
        if exists is True and name not in raw["profiles"]:
            raise _unknown(name, raw["profiles"])
        stored = raw["profiles"].setdefault(name, {})
        stored.update({key: value for key, value in given.items() if value is not None})
        url_of_key = stored.get("api_url")
        if api_key is not None and not url_of_key:
            raise InvalidInput(f"Profile '{name}' has no API for its key", "Give its api_url too.")
        stored["last_updated"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if is_default or len(raw["profiles"]) == 1:
            raw["default_profile"] = name
    if api_key is not None:
        save_api_key(name, api_key, api_url=url_of_key)
    return _profile(name, stored)


def set_default_profile(name: str) -> None:
    """Raises: NotFound."""
    with _editing() as raw:
        if name not in raw["profiles"]:
            raise _unknown(name, raw["profiles"])
        raw["default_profile"] = name


def delete_profile(name: str) -> None:
    """Forget the profile and its API key. Raises: NotFound."""
    with _editing() as raw:
        if name not in raw["profiles"]:
            raise _unknown(name, raw["profiles"])
        del raw["profiles"][name]
        if raw.get("default_profile") == name:
            del raw["default_profile"]
    forget_api_key(name)


def checked_profile_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"Invalid profile name {name!r}", "A profile's name is made of letters, digits and '-'.")
    return name


def checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
        is_valid = parts.scheme in ("http", "https") and _is_host(parts.hostname or "")
    except ValueError:
        is_valid = False
    if not is_valid or not url.isprintable() or " " in url:
        raise InvalidInput(f"Invalid URL {url!r}", "A URL starts with http:// or https:// and names a host.")
    return url


def _is_host(text: str) -> bool:
    return bool(_HOST.fullmatch(text)) if ":" not in text else bool(ipaddress.IPv6Address(text))


def _unknown(name: str, profiles: Iterable[str]) -> NotFound:
    known = ", ".join(sorted(profiles)) or "none yet"
    meant = did_you_mean(name, profiles)
    return NotFound("profile", name, f"{meant} Profiles: {known}. Make one with: dagy config".lstrip())


@contextmanager
def _editing(*, sets_aside: bool = False) -> Iterator[dict[str, Any]]:
    """The file as a dict with `profiles` in it, to be changed in place; written when the block ends well. One that
    cannot be read is an error, or set aside.
    """
    path = config_path()
    with locked(path):
        try:
            raw = _read_raw(path)
            _checked(raw)
            unreadable = None
        except InvalidInput as error:
            if not sets_aside:
                raise
            raw, unreadable = {}, error
        raw.setdefault("version", FILE_VERSION)
        if not raw.get("profiles"):
            raw["profiles"] = {}
        yield raw
        if unreadable is not None:
            stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")
            aside = path.rename(path.with_name(f"config.bak-{stamp}.yaml"))
            _log.warning("%s; it is %s now", unreadable, aside)

        import yaml  # a lazy door: `import dagy` must not pay for it

        write_private(path, yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))


# --- what the file may look like ----------------------------------------------------------------------------


def _read_raw(path: Path) -> dict[str, Any]:
    text = read_private(path)
    if not text:
        return {}

    import yaml  # a lazy door: `import dagy` must not pay for it

    try:
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, and faster
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        raise _unreadable(f"line {where.line + 1}" if where else "it is not YAML") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise _unreadable("it must be a mapping")
    return raw


def _checked(raw: Mapping[str, Any]) -> Config:
    version = raw.get("version", FILE_VERSION)
    if version != FILE_VERSION:
        raise _unreadable(f"version is {version!r}, this Dagy reads {FILE_VERSION}")
    default = raw.get("default_profile")
    if default is not None and not isinstance(default, str):
        raise _unreadable("default_profile must be text")
    profiles = raw.get("profiles") or {}
    if not isinstance(profiles, dict):
        raise _unreadable("profiles must be a mapping")
    return Config(default, {_text(name, "a profile's name"): _profile(name, data) for name, data in profiles.items()})


def _profile(name: str, data: Any) -> Profile:
    if not isinstance(data, dict):
        raise _unreadable(f"profile {name!r} must be a mapping")
    known = {key: data[key] for key in (*SETTABLE, "last_updated") if data.get(key) is not None}
    if isinstance(known.get("last_updated"), datetime):  # YAML reads unquoted times as such
        known["last_updated"] = known["last_updated"].isoformat()
    confirm = known.pop("confirm", None)
    if confirm is not None and not isinstance(confirm, bool):
        raise _unreadable(f"confirm of profile {name!r} must be true or false, got {confirm!r}"[:200])
    texts = {key: _text(value, f"{key} of profile {name!r}") for key, value in known.items()}
    return Profile(name=name, confirm=confirm, **texts)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _unreadable(f"{what} must be text, got {value!r}"[:200])
    return value


def _unreadable(why: str) -> InvalidInput:
    return InvalidInput(f"Cannot read {config_path()}: {why}", "Correct it, or start afresh with: dagy config")
