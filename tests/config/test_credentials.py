"""Tokens: which one is sent, what is refused, and what happens to the file."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy.core.errors import DagyError, InvalidInput, TokenExpiredError, Unauthenticated
from dagy.credentials import (
    Credentials,
    delete_credentials,
    forget_api_key,
    read_credentials,
    resolve_token,
    save_api_key,
    save_credentials,
)

NOW = 1_800_000_000.0
API = "https://api.example.com/v1"
FULL = {
    "access_token": "signed-in",
    "expires_at": NOW + 60,
    "user_email": "a@example.com",
    "origin": "https://api.example.com",
    "profiles": {"dev": {"api_key": "dgy_dev", "origin": "https://api.example.com"}},
}


def write(home: Path, content: object) -> Path:
    home.mkdir(exist_ok=True)
    path = home / "credentials"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "profile, environ, token",
    [
        pytest.param("dev", {"DAGY_API_KEY": "from-env", "DAGY_TOKEN": "b"}, "from-env", id="DAGY_API_KEY first"),
        pytest.param("dev", {"DAGY_TOKEN": "from-env"}, "from-env", id="then DAGY_TOKEN"),
        pytest.param("dev", {}, "dgy_dev", id="then the profile's key"),
        pytest.param("prod", {}, "signed-in", id="then the sign-in"),
        pytest.param(None, {}, "signed-in", id="without a profile the sign-in"),
    ],
)
def test_the_token_that_is_sent(home: Path, profile: str | None, environ: dict[str, str], token: str) -> None:
    write(home, FULL)

    assert resolve_token(profile, api_url=API, environ=environ, now=lambda: NOW) == token


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://API.example.com", id="another case"),
        pytest.param("https://api.example.com:443/v1/", id="the port that is meant anyway"),
        pytest.param("https://api.example.com/other/path", id="another path of the host"),
    ],
)
def test_the_same_host_may_be_written_differently(home: Path, url: str) -> None:
    write(home, FULL)

    assert resolve_token("dev", api_url=url, environ={}, now=lambda: NOW) == "dgy_dev"
    assert resolve_token("prod", api_url=url, environ={}, now=lambda: NOW) == "signed-in"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example.com", id="another host"),
        pytest.param("http://api.example.com", id="another scheme"),
        pytest.param("https://api.example.com:8443", id="another port"),
        pytest.param("https://api.example.com.evil.example", id="a host that begins alike"),
        pytest.param("https://api.example.com@evil.example", id="a host that looks alike"),
    ],
)
@pytest.mark.parametrize(
    "profile, what",
    [("dev", "The API key of profile 'dev'"), ("prod", "Your sign-in")],
)
def test_what_is_stored_goes_only_to_the_host_it_was_stored_for(home: Path, profile: str, what: str, url: str) -> None:
    write(home, FULL)

    with pytest.raises(Unauthenticated) as refused:
        resolve_token(profile, api_url=url, environ={"DAGY_API_URL": url}, now=lambda: NOW)

    assert str(refused.value).startswith(f"{what} is for https://api.example.com, so it is not sent to ")
    assert str(refused.value).endswith("(DAGY_API_URL says so)")
    assert "unset DAGY_API_URL" in str(refused.value.hint)
    assert "dgy_dev" not in f"{refused.value!r} {refused.value.hint}"
    given = {"DAGY_API_URL": url, "DAGY_API_KEY": "from-env"}
    assert resolve_token(profile, api_url=url, environ=given) == "from-env"


def test_a_token_of_an_unknown_host_goes_nowhere(home: Path) -> None:
    write(home, {"profiles": {"dev": {"api_key": "dgy_dev"}}})

    with pytest.raises(Unauthenticated, match="for an unknown host"):
        resolve_token("dev", api_url=API, environ={})


def test_a_sign_in_is_sent_where_the_profiles_key_may_not_go(home: Path) -> None:
    write(home, {**FULL, "origin": "https://other.example.com"})

    assert resolve_token("dev", api_url="https://other.example.com", environ={}, now=lambda: NOW) == "signed-in"


def test_without_a_file_nothing_is_sent() -> None:
    assert resolve_token("dev", api_url=API, environ={}) is None


def test_an_expired_token_is_refused_with_the_command_that_mends_it(home: Path) -> None:
    write(home, {**FULL, "expires_at": NOW})

    with pytest.raises(TokenExpiredError, match="2027-01-15T08:00:00Z") as caught:
        resolve_token("prod", api_url=API, environ={}, now=lambda: NOW)
    assert caught.value.hint == "Sign in again: dagy login --profile prod"
    assert resolve_token("dev", api_url=API, environ={}, now=lambda: NOW) == "dgy_dev"


def test_a_token_of_unknown_expiry_is_sent(home: Path) -> None:
    write(home, {"access_token": "t", "expires_at": 0, "user_email": "", "origin": "https://api.example.com"})

    assert resolve_token(api_url=API, environ={}, now=lambda: NOW) == "t"


def test_signing_in_and_out_leaves_api_keys_alone(home: Path) -> None:
    save_api_key("dev", "dgy_dev", api_url=API)
    save_credentials("token", NOW, "a@example.com", api_url=API)

    stored = json.loads((home / "credentials").read_text())
    assert stored == {
        "profiles": {"dev": {"api_key": "dgy_dev", "origin": "https://api.example.com"}},
        "access_token": "token",
        "expires_at": NOW,
        "user_email": "a@example.com",
        "origin": "https://api.example.com",
    }
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600

    delete_credentials()
    delete_credentials()
    left = Credentials(api_keys={"dev": "dgy_dev"}, key_origins={"dev": "https://api.example.com"})
    assert read_credentials() == left
    forget_api_key("dev")
    forget_api_key("dev")
    assert not (home / "credentials").exists()


def test_a_file_that_others_may_read_is_closed_with_a_warning(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(home, FULL)
    path.chmod(0o644)

    with caplog.at_level(logging.WARNING):
        read_credentials()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "0644" in caplog.text
    assert "signed-in" not in caplog.text


def test_tokens_do_not_show_in_representations(home: Path) -> None:
    write(home, FULL)

    shown = repr(read_credentials())

    assert "signed-in" not in shown
    assert "dgy_dev" not in shown


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="not JSON"),
        pytest.param([1], id="a list"),
        pytest.param({"access_token": 3}, id="a token that is a number"),
        pytest.param({"access_token": "t", "expires_at": "soon"}, id="an expiry that is text"),
        pytest.param({"access_token": "t", "expires_at": 1e300}, id="an expiry beyond the calendar"),
        pytest.param({"profiles": {"dev": {}}}, id="a profile without a key"),
        pytest.param({"profiles": {"dev": {"api_key": "k", "origin": 1}}}, id="an origin that is a number"),
        pytest.param(b"[" * 100_000, id="nesting without end"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(home: Path, content: object) -> None:
    path = write(home, content)
    before = path.read_bytes()

    with pytest.raises(InvalidInput, match=r"Cannot read .*credentials"):
        resolve_token("dev", api_url=API, environ={})
    with pytest.raises(InvalidInput):
        save_api_key("dev", "dgy_x", api_url=API)
    assert path.read_bytes() == before


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_the_file_gives_anything_but_an_answer_or_an_error_of_ours(
    home: Path, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(FULL).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        if not text:
            break
    path = write(home, bytes(text))

    try:
        resolve_token("dev", api_url=API, environ={}, now=lambda: NOW)
    except DagyError as error:
        assert error.hint
    assert path.read_bytes() == bytes(text)
