"""Which setting is in force, and that what `explain` says of it is what the rest of Dagy does."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dagy.config import (
    resolve_api_url,
    resolve_app_url,
    resolve_profile,
    resolve_region,
    write_profile,
)
from dagy.core.errors import InvalidInput, NotFound
from dagy.credentials import resolve_token, save_api_key, save_credentials
from dagy.explain import explain

API = "https://api.example.com"
FILE = "<config.yaml>"


@pytest.fixture
def profiles(home: Path) -> Path:
    """Two profiles: `full` says everything, `bare` nothing; `full` is the default."""
    write_profile(
        "full",
        api_url=API,
        app_url="https://app.example.com",
        table_format="plain",
        stage="prod",
        region="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        issuer="https://issuer.example.com",
        client_id="cli",
    )
    write_profile("bare", table_format="heavy_grid", confirm=False)
    return home / "config.yaml"


def setting(
    name: str, *, profile: str | None = None, environ: dict[str, str] | None = None
) -> tuple[str | bool | None, str]:
    [found] = [s for s in explain(profile, environ=environ or {}) if s.name == name]
    return found.value, found.origin


RULES = [
    ("profile", "bare", {"DAGY_PROFILE": "full"}, ("bare", "--profile")),
    ("profile", None, {"DAGY_PROFILE": "bare"}, ("bare", "DAGY_PROFILE")),
    ("profile", None, {"DAGY_PROFILE": ""}, ("full", "default_profile")),
    ("api_url", "full", {"DAGY_API_URL": "http://x"}, ("http://x", "DAGY_API_URL")),
    ("api_url", "full", {"DAGY_API_URL": ""}, (API, FILE)),
    ("api_url", "bare", {}, (None, "default")),
    ("app_url", "full", {"DAGY_APP_URL": "http://x"}, ("http://x", "DAGY_APP_URL")),
    ("app_url", "full", {}, ("https://app.example.com", FILE)),
    ("app_url", "bare", {}, ("https://dagy.io", "default")),
    ("table_format", "full", {}, ("plain", FILE)),
    ("table_format", "bare", {}, ("heavy_grid", "default")),
    ("stage", "full", {}, ("prod", FILE)),
    ("region", "full", {"AWS_REGION": "us-west-2"}, ("eu-west-1", FILE)),
    ("region", "bare", {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "x"}, ("us-west-2", "AWS_REGION")),
    ("region", "bare", {"AWS_DEFAULT_REGION": "us-west-1"}, ("us-west-1", "AWS_DEFAULT_REGION")),
    ("region", "bare", {}, ("us-east-1", "default")),
    ("endpoint_url", "full", {}, ("http://127.0.0.1:1", FILE)),
    ("issuer", "full", {}, ("https://issuer.example.com", FILE)),
    ("client_id", "full", {}, ("cli", FILE)),
    ("confirm", "full", {}, (True, "the names")),
    ("confirm", "bare", {}, (False, FILE)),
    ("local_dir", None, {"DAGY_LOCAL_DIR": "/x"}, ("/x", "DAGY_LOCAL_DIR")),
    ("local_dir", None, {}, (str(Path.home() / ".dagy"), "default")),
    ("artifact_bucket", None, {"DAGY_ARTIFACT_BUCKET": "b"}, ("b", "DAGY_ARTIFACT_BUCKET")),
    ("artifact_bucket", None, {}, (None, "found when deploying")),
    ("artifact_max_bytes", None, {"DAGY_LOCAL_ARTIFACT_MAX_BYTES": "7"}, (7, "DAGY_LOCAL_ARTIFACT_MAX_BYTES")),
    ("artifact_max_bytes", None, {}, (5242880, "default")),
    ("verbose", None, {"DAGY_LOCAL_VERBOSE": "yes"}, (True, "DAGY_LOCAL_VERBOSE")),
    ("verbose", None, {}, (False, "default")),
]


@pytest.mark.parametrize("name, profile, environ, found", RULES)
def test_every_value_tells_its_origin(
    profiles: Path, name: str, profile: str | None, environ: dict[str, str], found: tuple[str | bool | None, str]
) -> None:
    value, origin = found
    assert setting(name, profile=profile, environ=environ) == (value, str(profiles) if origin == FILE else origin)


def test_every_setting_has_a_rule_here(profiles: Path) -> None:
    assert {s.name for s in explain()} == {name for name, *_ in RULES} | {"credential"}


def test_without_a_default_it_is_the_first_profile_and_without_any_none(home: Path) -> None:
    assert setting("profile") == (None, "no profile exists")
    write_profile("b", stage="x")
    write_profile("a", stage="x")
    path = home / "config.yaml"
    path.write_text(path.read_text().replace("default_profile: b\n", ""))
    path.chmod(0o600)

    assert setting("profile") == ("a", "the first profile")


def test_what_is_told_is_what_happens(profiles: Path) -> None:
    variables = {
        "DAGY_PROFILE": "bare",
        "DAGY_API_URL": "http://x",
        "DAGY_APP_URL": "http://y",
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-1",
    }
    for size in range(len(variables) + 1):
        for chosen in itertools.combinations(variables.items(), size):
            environ = dict(chosen)
            for flag in (None, "full", "bare"):
                told = {s.name: s.value for s in explain(flag, environ=environ)}
                profile = resolve_profile(flag, environ=environ)
                assert told["profile"] == profile.name
                assert told["api_url"] == resolve_api_url(profile, environ=environ)
                assert told["app_url"] == resolve_app_url(profile, environ=environ)
                assert told["region"] == resolve_region(profile, environ=environ)


@pytest.mark.parametrize(
    "profile, environ, found, sent",
    [
        pytest.param("full", {"DAGY_API_KEY": "dgy_01ENV_s", "DAGY_TOKEN": "t"}, ("API key 01ENV", "DAGY_API_KEY"),
                     "dgy_01ENV_s", id="DAGY_API_KEY first"),
        pytest.param("full", {"DAGY_TOKEN": "t"}, ("token", "DAGY_TOKEN"), "t", id="then DAGY_TOKEN"),
        pytest.param("full", {}, ("API key 01KEY", "profile"), "dgy_01KEY_secret", id="then the profile's key"),
        pytest.param("bare", {"DAGY_API_URL": API}, ("a@example.com", "sign-in"), "signed-in", id="then the sign-in"),
        pytest.param("bare", {}, ("a@example.com", "sign-in"), None, id="without an API the one that would be sent"),
    ],
)  # fmt: skip
def test_the_credential_that_goes_with_requests(
    profiles: Path, profile: str, environ: dict[str, str], found: tuple[str, str], sent: str | None
) -> None:
    save_api_key("full", "dgy_01KEY_secret", api_url=API)
    save_credentials("signed-in", 0, "a@example.com", api_url=API)

    assert setting("credential", profile=profile, environ=environ) == found
    if sent is not None:
        assert resolve_token(profile, api_url=API, environ=environ) == sent
    shown = repr(explain(profile, environ=environ))
    assert "secret" not in shown and "signed-in" not in shown


def test_a_credential_that_goes_nowhere_is_told_with_the_reason(profiles: Path) -> None:
    assert setting("credential") == (None, "not signed in")

    save_credentials("signed-in", 0, "", api_url="https://other.example.com")
    value, origin = setting("credential", profile="full")
    assert value is None
    assert origin == "Your sign-in is for https://other.example.com, so it is not sent to https://api.example.com"

    (profiles.parent / "credentials").write_text("{")
    value, origin = setting("credential", profile="full")
    assert value is None and "it is not JSON" in origin


def test_a_profile_that_does_not_exist_and_a_file_that_cannot_be_read_are_errors(profiles: Path) -> None:
    with pytest.raises(NotFound, match="Profile not found: nope"):
        explain("nope")
    profiles.write_text("profiles: [")
    with pytest.raises(InvalidInput, match="Cannot read"):
        explain()
