"""People on the local cloud: somebody is added, signs in through a real Chromium and the pool's own pages, deploys, is
given another role, signs out, is removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Deeds
from logging_in import Login, logging_in

from dagy.core.timestamps import to_epoch
from dagy.private_files import write_private

pytestmark = pytest.mark.local_cloud

ANN, CHOSEN = "ann@example.com", "Correct-horse-battery-1"
FLOW = """
from dagy import flow, task

@task
def greet(name: str):
    return f"Hello {name}"

@flow
def hello(name: str = "Ann"):
    return greet(name)
"""


@pytest.fixture
def temporary_password(dagy: Any) -> Iterator[str]:
    """Of Ann, who was added as a developer and has not signed in yet."""
    yield dagy("users", "add", ANN, "--role", "developer", "--no-email", "--json").json["temporary_password"]
    dagy("users", "remove", ANN, "--yes", expect=(0, 5))


@pytest.fixture
def ann(cloud: Any, dagy: Any, tmp_path: Path) -> Any:
    """The command as Ann has it: a profile for the same stage, and no key."""
    manifest, endpoint_url = cloud.status().manifest, cloud.status().endpoint_url
    theirs = type(dagy)(home=tmp_path / "home-of-ann", cwd=tmp_path, profile="team")
    theirs(
        *("config", "set", "team", "--stage", "local", "--region", manifest.region, "--endpoint-url", endpoint_url),
        *("--api-url", manifest.api_url, "--app-url", manifest.app_url),
        env={"DAGY_PROFILE": ""},
    )
    return theirs


@pytest.fixture
def login(ann: Any, tmp_path: Path) -> Iterator[Login]:
    with logging_in(tmp_path, ann.environ()) as login:
        yield login


def test_a_person_signs_in_deploys_and_is_out_when_the_role_or_the_sign_in_is_taken(
    dagy: Any, ann: Any, login: Login, temporary_password: str, project: Any
) -> None:
    flow = f"{project(FLOW)}:hello"
    assert "You are not signed in" in ann("whoami", expect=3).stderr

    done, seen = login(
        Deeds(
            asks_first=True,
            forms=[
                {"username": ANN, "password": "mistyped"},
                {"username": ANN, "password": temporary_password},
                {"new_password": CHOSEN, "confirm_password": CHOSEN},
            ],
            button="button",
        )
    )

    assert (done.returncode, done.stdout) == (0, "Login successful!\n"), done.stderr
    assert done.stderr == f"Opening browser for login...\nLogged in as {ANN}\n"
    assert seen.text.startswith("You are signed in")
    who = ann("whoami", "--json").json
    assert (who["kind"], who["name"], who["role"], who["stage"]) == ("user", ANN, "developer", "local")
    stored = json.loads((ann.home / "credentials").read_text())
    assert stored["user_email"] == ANN and abs(stored["expires_at"] - to_epoch(who["expires_at"])) < 1

    ann("deploy", flow)
    run = ann.run_remote("hello", "--param", "name=there")
    assert (run["result"], run["requested_by"]) == ("Hello there", who["id"])

    dagy("users", "set-role", ANN, "viewer")

    refused = dagy.eventually(lambda: told(ann("deploy", flow, "--force", expect=(0, 3))), within_s=60)
    assert f"'{ANN}' has the role viewer on stage local; deploying takes developer" in refused
    assert f"Ask an admin for it: dagy users set-role {ANN} developer" in refused
    assert ann("flows", "list", "--json").json

    assert ann("logout", "--json").json == {"was_signed_in": True, "revoked": True}
    write_private(ann.home / "credentials", json.dumps(stored))  # as somebody who had copied it

    refused = dagy.eventually(lambda: told(ann("flows", "list", expect=(0, 3))), within_s=60)
    assert "This sign-in was ended" in refused and "dagy login" in refused


def test_the_audit_log_tells_who_did_what(dagy: Any, temporary_password: str) -> None:
    dagy("users", "disable", ANN)
    dagy("users", "enable", ANN)
    dagy("users", "remove", ANN, "--yes")

    entries = dagy("audit", "list", "--resource", f"users/{ANN}", "--limit", "4", "--json").json

    assert [entry["action"] for entry in entries] == ["users.delete", "users.enable", "users.disable", "users.create"]
    first = dagy("audit", "list", "--resource", "keys", "--json").json[-1]
    assert (first["actor_kind"], first["actor_name"]) == ("aws", "dagy local start")


def told(said: Any) -> str:
    """The refusal, once it is one."""
    return str(said.stderr) if said.code else ""
