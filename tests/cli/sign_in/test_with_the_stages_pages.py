"""`dagy login` against the pages and the API that stages have: both ends were built apart, here they meet.

The API is the real one on ports in memory; the user pool is the tests' sign-in server, asked over HTTP as Cognito is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3
from chromium import Deeds
from sign_in_server import CLIENT_ID, KEY_ID, PASSWORD, SignInServer

from dagy.config import write_profile
from dagy.credentials import read_credentials, save_credentials
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.adapters.memory import MemoryPublicKeys, world
from dagy_runtime.api.app import create_app
from dagy_runtime.api.callers import Entrance
from dagy_runtime.engine.tokens import Issuer
from dagy_runtime.ports.people import RsaKey


@dataclass(frozen=True)
class PoolExchange:
    """The pool's token endpoint."""

    pool: SignInServer

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> tuple[str, str] | None:
        form = {
            "grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code, "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }  # fmt: skip
        with urllib3.PoolManager() as http:
            reply = http.request_encode_body("POST", f"{self.pool.url}/token", form, encode_multipart=False)
        answer = json.loads(reply.data)
        return (answer["access_token"], answer["id_token"]) if reply.status == 200 else None


@pytest.fixture
def stage_url(server: SignInServer, serve: Any) -> Iterator[str]:
    """Where a stage answers whose people are those of the sign-in server; the profile `dev` knows no issuer."""
    numbers = server.key.public_key().public_numbers()
    ports = world(
        clock=SystemClock(), ids=RandomIds(), exchange=PoolExchange(server),
        public_keys=MemoryPublicKeys({KEY_ID: RsaKey(numbers.n, numbers.e)}),
    )  # fmt: skip
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    with serve(app, []) as url:
        entrance = Entrance(Issuer(server.url, CLIENT_ID), server.url, url)
        apps.append(create_app(ports, stage="dev", version="0.1.0", entrance=entrance))
        write_profile("dev", api_url=f"{url}/v1", app_url=url, table_format="plain")
        yield url


@pytest.mark.parametrize("answers_with", ["token", "code"])
def test_a_person_signs_in_works_and_signs_out(
    server: SignInServer, stage_url: str, login: Any, dagy: Any, answers_with: str
) -> None:
    if answers_with == "code":
        write_profile("dev", issuer=server.url, client_id=CLIENT_ID)

    done, seen = login(Deeds(passwords=["wrong", PASSWORD], asks_first=True))

    assert (done.returncode, done.stdout) == (0, "Login successful!\n")
    assert done.stderr == "Opening browser for login...\nLogged in as a@example.com\n"
    assert seen.text.startswith("You are signed in")
    stored = read_credentials()
    assert any(str(stored.access_token) in url for url in seen.hops) is (answers_with == "token")
    who = dagy("whoami", "--json").json
    assert (who["kind"], who["role"], who["credential"]) == ("user", "developer", "sign-in")
    assert who["name"] == ("a@example.com" if answers_with == "token" else who["id"])
    assert dagy("flows", "list", "--json").json == []

    assert dagy("logout", "--json").json == {"was_signed_in": True, "revoked": True}

    save_credentials(str(stored.access_token), 0, "", api_url=stage_url)  # as somebody who had copied it
    assert "APIError 401: This sign-in was ended" in dagy("flows", "list", expect=3).stderr


def test_who_changes_their_mind_at_the_pool_is_told_so(server: SignInServer, stage_url: str, login: Any) -> None:
    done, seen = login(Deeds(button="#cancel", asks_first=True))

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "Error: Login failed: The user said no."
    assert "The user said no." in seen.text
