"""`dagy whoami` and `dagy logout`: whose token it is, and how it becomes worthless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sign_in_server import SignInServer

from dagy.config import write_profile
from dagy.credentials import read_credentials, save_api_key, save_credentials

# --- whoami -------------------------------------------------------------------------------------------------


def test_whoami_is_what_the_api_says_of_the_sign_in(server: SignInServer, dagy: Any) -> None:
    save_credentials(server.token("a@example.com"), 0, "a@example.com", api_url=server.url)

    said = dagy("whoami", "--json").json

    assert said == {
        "kind": "user", "id": said["id"], "name": "a@example.com", "role": "developer",
        "expires_at": "2099-01-01T00:00:00.000Z", "stage": "dev", "credential": "sign-in", "api_url": server.url,
        "is_verified": True,
    }  # fmt: skip
    assert dagy("whoami").stdout.endswith("until 2099-01-01T00:00:00.000Z\nWith your sign-in\n")


@pytest.mark.parametrize("has_api", [True, False])
def test_without_the_api_whoami_is_what_is_known_here(home: Path, dagy: Any, has_api: bool) -> None:
    nobody = "http://127.0.0.1:9"
    write_profile("dev", stage="dev", api_url=nobody if has_api else None)
    save_credentials("t", 4_000_000_000, "a@example.com", api_url=nobody)

    said = dagy("whoami", "--json")

    assert said.json == {
        "kind": "user", "id": None, "name": "a@example.com", "role": None, "expires_at": "2096-10-02T07:06:40.000Z",
        "stage": "dev", "credential": "sign-in", "api_url": nobody if has_api else None, "is_verified": False,
    }  # fmt: skip
    assert ("Unable to reach Dagy API" in said.stderr) is has_api
    assert dagy("whoami").stdout == "a@example.com (user), until 2096-10-02T07:06:40.000Z\nWith your sign-in\n"


@pytest.mark.parametrize(
    "environ, text",
    [
        ({}, "key 01KEY\nWith the API key of profile 'dev'\n"),
        ({"DAGY_API_KEY": "dgy_01ENV_s"}, "key 01ENV\nWith DAGY_API_KEY\n"),
        ({"DAGY_TOKEN": "odd"}, "user\nWith DAGY_TOKEN\n"),
    ],
)
def test_whoami_tells_which_credential_is_in_force(
    home: Path, dagy: Any, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], text: str
) -> None:
    write_profile("dev", stage="dev")
    save_api_key("dev", "dgy_01KEY_secret", api_url="http://127.0.0.1:9")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert dagy("whoami").stdout == text


def test_whoami_of_nobody_says_how_to_become_somebody(server: SignInServer, dagy: Any) -> None:
    said = dagy("whoami", expect=3)

    assert "You are not signed in" in said.stderr
    assert "dagy login --profile dev" in said.stderr
    assert server.asked == []


@pytest.mark.parametrize("words", [["whoami"], ["flows", "list"], ["keys", "list"]])
def test_an_expired_token_is_refused_before_the_call_with_the_command_that_mends_it(
    server: SignInServer, dagy: Any, words: list[str]
) -> None:
    save_credentials(server.token("a@example.com"), 1_700_000_000, "a@example.com", api_url=server.url)

    said = dagy(*words, expect=3)

    assert "Your token expired at 2023-11-14T22:13:20Z" in said.stderr
    assert "dagy login --profile dev" in said.stderr
    assert server.asked == []


def test_a_token_that_the_api_refuses_is_an_error_and_not_hidden_by_what_is_known_here(
    server: SignInServer, dagy: Any
) -> None:
    save_credentials("forged.by.us", 0, "a@example.com", api_url=server.url)

    assert "APIError 401: The token is not valid" in dagy("whoami", expect=3).stderr


# --- logout -------------------------------------------------------------------------------------------------


def test_logging_out_makes_the_token_worthless_everywhere(
    server: SignInServer, browser: Any, dagy: Any, home: Path
) -> None:
    browser("sign-in")
    dagy("login")
    token = str(read_credentials().access_token)
    assert server.claims(token) is not None

    said = dagy("logout")

    assert (said.stdout, said.stderr) == ("Logged out\n", "")
    assert server.claims(token) is None
    assert not (home / "credentials").exists()
    assert dagy("logout", "--json").json == {"was_signed_in": False, "revoked": False}


def test_logging_out_leaves_api_keys_alone(server: SignInServer, dagy: Any) -> None:
    save_api_key("dev", "dgy_01KEY_secret", api_url=server.url)
    save_credentials(server.token("a@example.com"), 0, "", api_url=server.url)

    assert dagy("logout", "--json").json == {"was_signed_in": True, "revoked": True}
    assert read_credentials().api_keys == {"dev": "dgy_01KEY_secret"}
    assert read_credentials().access_token is None


@pytest.mark.parametrize(
    "prepare, remark",
    [
        pytest.param(lambda server: write_profile("dev", api_url="http://127.0.0.1:9"), "Unable to reach", id="nobody"),
        pytest.param(
            lambda server: write_profile("dev", api_url="https://a.example"), "No profile is for", id="no API"
        ),
        pytest.param(
            lambda server: write_profile("dev", api_url="http://a.example"), "over plain http", id="open line"
        ),
    ],
)
def test_logging_out_forgets_the_token_also_when_it_cannot_be_revoked(
    server: SignInServer, dagy: Any, home: Path, prepare: Callable[[SignInServer], Any], remark: str
) -> None:
    profile = prepare(server)
    origin = profile.api_url if remark != "No profile is for" else server.url
    save_credentials(server.token("a@example.com"), 0, "", api_url=origin)

    said = dagy("logout")

    assert said.stdout == "Logged out\n"
    assert remark in said.stderr
    assert server.asked == []
    assert not (home / "credentials").exists()


def test_the_token_is_revoked_at_its_own_api_whatever_is_configured_now(
    server: SignInServer, dagy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = server.token("a@example.com")
    save_credentials(token, 0, "", api_url=server.url)
    monkeypatch.setenv("DAGY_API_URL", "http://127.0.0.1:9")

    assert dagy("logout", "--json").json["revoked"]
    assert server.claims(token) is None


def test_an_expired_token_is_forgotten_without_a_call(server: SignInServer, dagy: Any) -> None:
    save_credentials("t", 1_700_000_000, "", api_url=server.url)

    assert dagy("logout", "--json").json == {"was_signed_in": True, "revoked": False}
    assert server.asked == []


def test_a_configuration_that_cannot_be_read_keeps_nobody_signed_in(
    server: SignInServer, dagy: Any, home: Path
) -> None:
    save_credentials("t", 0, "", api_url=server.url)
    (home / "config.yaml").write_text("profiles: [")

    assert dagy("logout").stdout == "Logged out\n"
    assert not (home / "credentials").exists()
