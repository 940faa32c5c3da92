"""`dagy login`: what people see, what is stored, and every way it can go wrong."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sign_in_server import SignInServer

from dagy.config import write_profile
from dagy.core.timestamps import to_iso
from dagy.credentials import read_credentials, save_api_key

DAGY = Path(sys.executable).parent / "dagy"
VISITOR = Path(__file__).parents[2] / "browsing" / "visitor.py"


def test_a_sign_in_says_what_the_reference_says_and_keeps_the_token(
    server: SignInServer, browser: Any, dagy: Any, home: Path
) -> None:
    browser("sign-in")

    said = dagy("login")

    assert said.stdout == "Login successful!\n"
    assert said.stderr == "Opening browser for login...\nLogged in as a@example.com\n"
    stored = json.loads((home / "credentials").read_text())
    claims = server.claims(server.tokens[-1])
    assert claims is not None
    assert stored == {
        "access_token": server.tokens[-1],
        "expires_at": claims["exp"],
        "user_email": "a@example.com",
        "origin": server.url,
    }
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600
    assert "GET /.well-known/openid-configuration" not in server.asked


def test_machines_get_the_facts_and_never_the_token(server: SignInServer, browser: Any, dagy: Any) -> None:
    browser("sign-in")

    said = dagy("login", "--json", "--quiet")

    assert said.json == {
        "user_email": "a@example.com",
        "expires_at": to_iso(read_credentials().expires_at),
        "api_url": server.url,
        "profile": "dev",
    }
    assert said.stderr == ""


def test_with_an_issuer_a_code_is_exchanged_with_its_proof(with_issuer: SignInServer, browser: Any, dagy: Any) -> None:
    browser("sign-in")

    said = dagy("login")

    assert said.stderr.endswith("Logged in as a@example.com\n")  # from the token of identity
    stored = read_credentials()
    assert stored.access_token == with_issuer.tokens[-2]
    assert with_issuer.asked[-2:] == ["GET /.well-known/openid-configuration", "POST /token"]


def test_a_code_that_came_by_way_of_the_app_is_exchanged_for_it(with_issuer: Any, browser: Any, dagy: Any) -> None:
    """Cognito takes registered addresses only, so the app is where it sends codes."""
    with_issuer.with_answer = {"redirect_uri": f"{with_issuer.url}/cli"}
    browser("sign-in")

    dagy("login")


def test_an_app_may_hand_over_a_token_although_there_is_an_issuer(with_issuer: Any, browser: Any, dagy: Any) -> None:
    with_issuer.answers_with = "token"
    browser("sign-in")

    dagy("login")

    assert read_credentials().access_token == with_issuer.tokens[-1]
    assert "POST /token" not in with_issuer.asked


@pytest.mark.parametrize(
    "said, expires_at, email",
    [
        ("expires_at=2099-01-01T00%3A00%3A00.000Z&email=a%40b.c", 4_070_908_800.0, "a@b.c"),
        ("expires_at=soon&email=a%1B%5B31m", 0, ""),
        ("expires_at=9999-12-31T23%3A59%3A59%2B14%3A00", 0, ""),
        ("expires_at=0001-01-01T00%3A00%3A00%2B14%3A00", 0, ""),
        ("expires_at=-1", 0, ""),
        ("", 0, ""),
    ],
)
def test_what_a_token_does_not_say_the_app_may(
    server: SignInServer, browser: Any, dagy: Any, said: str, expires_at: float, email: str
) -> None:
    browser(f"token=opaque&state={{state}}&{said}")

    dagy("login")

    assert (read_credentials().expires_at, read_credentials().user_email) == (expires_at, email)


# --- every way it can go wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "visit, message",
    [
        pytest.param("token=t&state=wrong", "State mismatch – possible CSRF attack.", id="another state"),
        pytest.param("token=t", "State mismatch – possible CSRF attack.", id="no state"),
        pytest.param(
            "error=access_denied&state=wrong", "State mismatch – possible CSRF attack.", id="a forged refusal"
        ),
        pytest.param("cancel", "The user said no.", id="the user says no"),
        pytest.param("error=server_error&state={state}", "server_error", id="a refusal without a description"),
        pytest.param("error=&state={state}", "The sign-in was refused without a reason.", id="without a reason"),
        pytest.param(
            "error=x&error_description=a%0A%1B%5B31mb&state={state}", "a [31mb", id="a description that would colour"
        ),
        pytest.param("token=&state={state}", "The sign-in page sent something that cannot be a token.", id="no token"),
        pytest.param("token=a%0Ab&state={state}", "The sign-in page sent something that cannot be a token.", id="odd"),
        pytest.param(
            "code=c&state={state}",
            "The sign-in page sent a code, and the profile names no issuer and client id for it.",
            id="a code without an issuer",
        ),
    ],
)
def test_what_the_browser_brings_back_may_be_a_failure(
    server: SignInServer, browser: Any, dagy: Any, home: Path, visit: str, message: str
) -> None:
    browser(visit)

    said = dagy("login", expect=3)

    assert said.stderr.splitlines() == ["Opening browser for login...", f"Error: Login failed: {message}"]
    assert said.stdout == ""
    assert not (home / "credentials").exists()
    assert dagy("login", "--json", expect=3).error["code"] == "login_failed"


@pytest.mark.parametrize(
    "changes, message",
    [
        pytest.param({"token_answer": (400, b'{"error":"invalid_grant","error_description":"Too late."}')},
                     "Too late.", id="the issuer refuses"),
        pytest.param({"token_answer": (400, b'{"error":"invalid_grant"}')}, "invalid_grant", id="without description"),
        pytest.param({"token_answer": (500, b"<html>")}, "{host} answered 500.", id="it is out of order"),
        pytest.param({"token_answer": (200, b"[" * 100_000)}, "{host} answered 200.", id="its answer is no JSON"),
        pytest.param({"token_answer": (200, b"{}")}, "{host} answered without a token.", id="there is no token"),
        pytest.param({"token_answer": (200, b'{"access_token":"a\\nb"}')}, "{host} answered without a token.",
                     id="the token is none"),
        pytest.param({"token_answer": (302, b"")}, "{host} answered 302.", id="it sends us elsewhere"),
        pytest.param({"metadata": {"issuer": "https://other.example"}},
                     "{host} describes itself as another issuer.", id="another issuer"),
        pytest.param({"metadata": {"code_challenge_methods_supported": ["plain"]}},
                     "{host} does not support PKCE with S256, so its codes are not used.", id="no PKCE"),
        pytest.param({"metadata": {"token_endpoint": None}}, "{host} names no token endpoint.", id="no endpoint"),
        pytest.param({"metadata": {"token_endpoint": "http://issuer.example/token"}},
                     "The issuer's address 'http://issuer.example/token' is not https.", id="an open line"),
        pytest.param({"metadata": {"token_endpoint": "http://127.0.0.1:9/token"}},
                     "Unable to reach 127.0.0.1:9.", id="nobody answers"),
        pytest.param({"with_answer": {"iss": "https://other.example"}},
                     "The code was made by another issuer than the profile's.", id="a code of another issuer"),
        pytest.param({"with_answer": {"redirect_uri": "https://other.example/"}},
                     "The code was sent to another place than the sign-in page's.", id="a code from elsewhere"),
        pytest.param({"with_answer": {"code": "stolen"}}, "Unknown code.", id="a code that was never made"),
    ],
)  # fmt: skip
def test_an_exchange_may_fail(
    with_issuer: SignInServer, browser: Any, dagy: Any, home: Path, changes: dict[str, Any], message: str
) -> None:
    for name, value in changes.items():
        setattr(with_issuer, name, value)
    browser("sign-in")

    said = dagy("login", expect=3)

    host = with_issuer.url.removeprefix("http://")
    assert said.stderr.splitlines()[-1] == f"Error: Login failed: {message.format(host=host)}"
    assert not (home / "credentials").exists()


def test_a_token_that_has_expired_when_it_comes_is_not_kept(
    server: SignInServer, browser: Any, dagy: Any, home: Path
) -> None:
    server.lifetime_s = -60
    browser("sign-in")

    assert "Login failed: The token had expired when it came." in dagy("login", expect=3).stderr
    assert not (home / "credentials").exists()


def test_where_no_browser_can_be_opened_the_address_is_printed(
    server: SignInServer, dagy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    command = [DAGY, "login", "--quiet"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PATH": str(tmp_path), "BROWSER": "/nowhere"}
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "Warning: No browser could be opened. Open this page yourself:\n"
        url = process.stderr.readline().strip()
        assert url.startswith(f"{server.url}/sign-in?cli_callback=http%3A%2F%2F127.0.0.1%3A")
        done = subprocess.run([sys.executable, VISITOR, url], env={**os.environ, "VISIT": "sign-in"}, timeout=60)
        assert done.returncode == 0
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
    assert read_credentials().user_email == "a@example.com"


def test_ctrl_c_cancels_it(server: SignInServer, home: Path) -> None:
    process = subprocess.Popen(
        [DAGY, "login"], stderr=subprocess.PIPE, text=True, env={**os.environ, "BROWSER": "/bin/false"}
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "Opening browser for login...\n"
        assert "No browser could be opened" in process.stderr.readline()  # so it waits for a callback
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert errors.splitlines()[-1] == "Error: Login failed: Login cancelled by user."
    assert process.returncode == 3
    assert not (home / "credentials").exists()


def test_a_token_that_cannot_be_kept_is_told_as_a_failure(
    server: SignInServer, browser: Any, dagy: Any, home: Path
) -> None:
    (home / "credentials").write_text("{")
    browser("sign-in")

    assert "Cannot read" in dagy("login", expect=2).stderr
    assert (home / "credentials").read_text() == "{"


@pytest.mark.parametrize(
    "profile, environ, message",
    [
        pytest.param({}, {}, "Missing Dagy API URL. Set DAGY_API_URL or run 'dagy config'.", id="no API"),
        pytest.param({"api_url": "https://a.example", "app_url": "http://a.example"}, {},
                     "Refusing to sign in at http://a.example over plain http", id="an open line"),
        pytest.param({"api_url": "https://a.example"}, {"DAGY_APP_URL": "ftp://a.example"},
                     "Invalid URL 'ftp://a.example'", id="no web address"),
        pytest.param({}, {"DAGY_API_URL": "garbage"}, "Invalid API URL 'garbage'", id="no address of an API"),
        pytest.param({"api_url": "https://a.example"}, {"DAGY_API_URL": "https://evil.example"},
                     "DAGY_API_URL is https://evil.example, but the sign-in page is of profile 'x'", id="another API"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_a_browser_opens(
    home: Path, dagy: Any, monkeypatch: pytest.MonkeyPatch, profile: Any, environ: dict[str, str], message: str
) -> None:
    write_profile("x", **profile)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BROWSER", "/bin/false")

    said = dagy("login", expect=2)

    assert message in said.stderr
    assert "Opening" not in said.stderr


def test_the_environment_may_name_both_page_and_api(
    server: SignInServer, browser: Any, dagy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile("other", api_url="https://a.example", app_url="https://a.example")
    monkeypatch.setenv("DAGY_API_URL", server.url)
    monkeypatch.setenv("DAGY_APP_URL", server.url)
    browser("sign-in")

    dagy("login", "--profile", "other")

    assert read_credentials().origin == server.url


@pytest.mark.parametrize("has_key, environ, who", [
    (True, {}, "The API key of profile 'dev' goes first"), (False, {"DAGY_TOKEN": "t"}, "DAGY_TOKEN is set and goes"),
])  # fmt: skip
def test_what_goes_before_the_sign_in_is_told(
    server: SignInServer,
    browser: Any,
    dagy: Any,
    monkeypatch: pytest.MonkeyPatch,
    has_key: bool,
    environ: Any,
    who: str,
) -> None:
    if has_key:
        save_api_key("dev", "dgy_01KEY_secret", api_url=server.url)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    browser("sign-in")

    assert who in dagy("login").stderr
