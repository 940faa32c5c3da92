"""`dagy login` as people use it: the command is a process, the browser a real Chromium that types and clicks.

The web app is the tests' own; the one that stages have is in test_with_the_stages_pages.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chromium import Deeds
from sign_in_server import PASSWORD, SignInServer

from dagy.credentials import read_credentials


def is_clean(url: str) -> bool:
    return url.startswith("http://127.0.0.1:") and url.endswith("/done")


@pytest.mark.parametrize("answers_with", ["token", "code"])
def test_a_person_signs_in(server: SignInServer, login: Any, dagy: Any, answers_with: str, request: Any) -> None:
    if answers_with == "code":
        request.getfixturevalue("with_issuer")

    done, seen = login(Deeds(passwords=[PASSWORD]))

    assert (done.returncode, done.stdout) == (0, "Login successful!\n")
    assert done.stderr == "Opening browser for login...\nLogged in as a@example.com\n"
    assert ("POST /token" in server.asked) is (answers_with == "code")
    assert seen.text.startswith("You are signed in\nThe command line has its token.")
    assert dagy("whoami", "--json").json["name"] in ("a@example.com", "somebody")
    assert dagy("logout").stderr == ""


def test_the_last_page_is_drawn_and_has_nothing_to_complain_about(server: SignInServer, login: Any) -> None:
    _, seen = login(Deeds(passwords=[PASSWORD]))

    assert seen.title == "You are signed in · Dagy"
    assert seen.border == "4px"  # so its style is applied, whose hash is in the policy
    assert [line for line in seen.console if "/done" in line or "Content Security Policy" in line] == []


def test_the_token_is_in_no_address_that_the_browser_shows(server: SignInServer, login: Any) -> None:
    """In the file of its history Chromium keeps every hop of a redirect. Only codes make that harmless."""
    _, seen = login(Deeds(passwords=[PASSWORD]))

    token = str(read_credentials().access_token)
    assert is_clean(seen.url)
    assert token not in " ".join([seen.back, *seen.history])
    assert any(is_clean(url) for url in seen.history)
    assert any(token in url for url in seen.hops), "then docs/design/signing-in.md is wrong by now"


def test_with_a_code_no_token_is_in_any_address(with_issuer: SignInServer, login: Any) -> None:
    _, seen = login(Deeds(passwords=[PASSWORD]))

    everything = " ".join([seen.url, seen.back, *seen.history, *seen.hops])
    assert all(token not in everything for token in with_issuer.tokens)
    assert with_issuer.codes == {}  # the code in those addresses has been used


def test_a_mistyped_password_can_be_typed_again(server: SignInServer, login: Any) -> None:
    done, _ = login(Deeds(passwords=["wrong", PASSWORD]))

    assert done.returncode == 0
    assert server.asked.count("POST /sign-in") == 2


def test_who_cancels_is_told_so_in_both_places(server: SignInServer, login: Any, home: Path) -> None:
    done, seen = login(Deeds(button="#cancel"))

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines()[-1] == "Error: Login failed: The user said no."
    assert seen.text.startswith("The sign-in failed\nThe user said no.")
    assert not (home / "credentials").exists()


def test_an_answer_with_another_state_is_told_so_in_both_places(server: SignInServer, login: Any) -> None:
    server.with_answer = {"state": "of somebody else"}

    done, seen = login(Deeds(passwords=[PASSWORD]))

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "Error: Login failed: State mismatch – possible CSRF attack."
    assert "State mismatch – possible CSRF attack." in seen.text


def test_what_a_page_loads_is_no_callback(server: SignInServer, login: Any) -> None:
    """A page that has found the port cannot end the sign-in of somebody else."""
    attack = """
        const callback = new URLSearchParams(location.search).get("cli_callback") + "?token=evil&state=guessed";
        return Promise.allSettled([
          new Promise(done => { const i = new Image(); i.onload = i.onerror = done; i.src = callback; }),
          fetch(callback, {mode: "no-cors"}),
          fetch(callback, {method: "POST", mode: "no-cors", body: "token=evil"}),
        ]).then(() => 1);
    """

    done, _ = login(Deeds(passwords=[PASSWORD], script=attack))

    assert done.returncode == 0
    assert read_credentials().access_token == server.tokens[-1]
