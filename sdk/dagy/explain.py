"""Every setting in force, and where it comes from: the rules of precedence, told rather than documented."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dagy.config import (
    DEFAULT_APP_URL,
    DEFAULT_REGION,
    DEFAULT_TABLE_FORMAT,
    Profile,
    choose_profile,
    config_path,
    read_config,
    resolve_api_url,
)
from dagy.core.errors import DagyError
from dagy.credentials import find_credential
from dagy.local.paths import local_dir
from dagy.local.settings import DEFAULT_ARTIFACT_MAX_BYTES, is_true

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value in force; `origin` is the variable, the file or the rule that says so."""

    name: str
    value: str | int | None  # or a bool
    origin: str


def explain(name: str | None = None, *, environ: Mapping[str, str] = os.environ) -> list[Setting]:
    """Every setting, when the caller named the profile `name` or nothing. Holds no secret.

    Raises: what `dagy.config.resolve_profile` raises.
    """
    profile, reason = choose_profile(read_config(), name, environ=environ)

    file = str(config_path())

    def first(
        setting: str, *variables: str, default: str | None = None, otherwise: str = DEFAULT, is_file_first: bool = False
    ) -> Setting:
        given = [(environ.get(variable), variable) for variable in variables]
        stored = (getattr(profile, setting, None), file)
        for value, origin in [stored, *given] if is_file_first else [*given, stored]:
            if value and (value, origin) != (default, file):
                return Setting(setting, value, origin)
        return Setting(setting, default, otherwise)

    return [
        Setting("profile", profile.name, reason),
        first("api_url", "DAGY_API_URL"),
        first("app_url", "DAGY_APP_URL", default=DEFAULT_APP_URL),
        first("table_format", default=DEFAULT_TABLE_FORMAT),
        first("stage"),
        first("region", "AWS_REGION", "AWS_DEFAULT_REGION", default=DEFAULT_REGION, is_file_first=True),
        first("endpoint_url"),
        first("issuer"),
        first("client_id"),
        _confirm(profile),
        _credential(profile, environ),
        Setting("local_dir", str(local_dir(environ)), "DAGY_LOCAL_DIR" if environ.get("DAGY_LOCAL_DIR") else DEFAULT),
        first("artifact_bucket", "DAGY_ARTIFACT_BUCKET", otherwise="found when deploying"),
        _number(first("artifact_max_bytes", "DAGY_LOCAL_ARTIFACT_MAX_BYTES", default=str(DEFAULT_ARTIFACT_MAX_BYTES))),
        replace(first("verbose", "DAGY_LOCAL_VERBOSE"), value=is_true(environ.get("DAGY_LOCAL_VERBOSE", ""))),
    ]


def _number(setting: Setting) -> Setting:
    """Text that is no number stays as it is: a run refuses it."""
    text = str(setting.value)
    return replace(setting, value=int(text)) if text.isdecimal() else setting


def _confirm(profile: Profile) -> Setting:
    return Setting("confirm", profile.is_production, str(config_path()) if profile.confirm is not None else "the names")


def _credential(profile: Profile, environ: Mapping[str, str]) -> Setting:
    """Which credential a request would carry. That none would is a fact, not an error."""
    try:
        found = find_credential(profile.name, api_url=resolve_api_url(profile, environ=environ), environ=environ)
    except DagyError as error:
        return Setting("credential", None, str(error))
    return Setting("credential", found.label, found.source) if found else Setting("credential", None, "not signed in")
