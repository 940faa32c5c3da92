"""Tokens: which one is sent, what is refused, and what happens to the file."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy.core.errors import DagyError, InvalidInput, TokenExpiredError
from dagy.credentials import (
    Credentials,
    delete_credentials,
    read_credentials,
    resolve_token,
    save_api_key,
    save_credentials,
)

NOW = 1_800_000_000.0
FULL = {
    "access_token": "signed-in",
    "expires_at": NOW + 60,
    "user_email": "a@example.com",
    "profiles": {"dev": {"api_key": "dgy_dev"}},
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

    assert resolve_token(profile, environ=environ, now=lambda: NOW) == token


def test_without_a_file_nothing_is_sent() -> None:
    assert resolve_token("dev", environ={}) is None


def test_an_expired_token_is_refused_with_the_command_that_mends_it(home: Path) -> None:
    write(home, {**FULL, "expires_at": NOW})

    with pytest.raises(TokenExpiredError, match="2027-01-15T08:00:00Z") as caught:
        resolve_token("prod", environ={}, now=lambda: NOW)
    assert caught.value.hint == "Sign in again: dagy login --profile prod"
    assert resolve_token("dev", environ={}, now=lambda: NOW) == "dgy_dev"


def test_a_token_of_unknown_expiry_is_sent(home: Path) -> None:
    write(home, {"access_token": "t", "expires_at": 0, "user_email": ""})

    assert resolve_token(environ={}, now=lambda: NOW) == "t"


def test_signing_in_and_out_leaves_api_keys_alone(home: Path) -> None:
    save_api_key("dev", "dgy_dev")
    save_credentials("token", NOW, "a@example.com")

    stored = json.loads((home / "credentials").read_text())
    assert stored == {
        "profiles": {"dev": {"api_key": "dgy_dev"}},
        "access_token": "token",
        "expires_at": NOW,
        "user_email": "a@example.com",
    }
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600

    delete_credentials()
    delete_credentials()
    assert read_credentials() == Credentials(api_keys={"dev": "dgy_dev"})
    save_api_key("dev", None)
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
        pytest.param(b"[" * 100_000, id="nesting without end"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(home: Path, content: object) -> None:
    path = write(home, content)
    before = path.read_bytes()

    with pytest.raises(InvalidInput, match=r"Cannot read .*credentials"):
        resolve_token("dev", environ={})
    with pytest.raises(InvalidInput):
        save_api_key("dev", "dgy_x")
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
        resolve_token("dev", environ={}, now=lambda: NOW)
    except DagyError as error:
        assert error.hint
    assert path.read_bytes() == bytes(text)
