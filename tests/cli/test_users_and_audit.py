"""`dagy users` and `dagy audit`: who may sign in to a stage, and who changed what there."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from dagy.config import write_profile

ANN = "ann@example.com"


@pytest.fixture
def ann(dagy: Any, stage: Any) -> Any:
    """Somebody who was added, as the API tells it."""
    return dagy("users", "add", ANN, "--role", "developer", "--no-email", "--json").json


def roles(dagy: Any) -> dict[str, str]:
    return {user["email"]: user["role"] for user in dagy("users", "list", "--json").json}


# --- users --------------------------------------------------------------------------------------------------


def test_who_is_added_without_a_mail_gets_a_password_that_is_shown_once(dagy: Any, stage: Any) -> None:
    said = dagy("users", "add", ANN, "--no-email")

    added, password = said.stdout.splitlines()
    assert added == f"Added {ANN} as viewer"
    assert password.startswith("Temporary password: ") and len(password.split()[-1]) >= 12
    assert said.stderr == "Keep it now: it is not shown again. The first sign-in asks for another.\n"
    assert password.split()[-1] not in dagy("users", "show", ANN, "--json").stdout


def test_whoever_adds_somebody_is_told_what_they_have_to_type(dagy: Any, stage: Any) -> None:
    write_profile("dev", app_url=f"{stage.url}/app")

    said = dagy("users", "add", ANN)

    command = said.stderr.removeprefix("For them:  dagy ").partition(" && ")[0]
    dagy("config", "delete", "dev", "--yes")
    dagy(*shlex.split(command))
    shown = dagy("config", "show", "--json").json
    assert (shown["api_url"], shown["app_url"]) == (stage.url, f"{stage.url}/app")


def test_who_is_added_with_a_mail_gets_the_password_there(dagy: Any, stage: Any) -> None:
    said = dagy("users", "add", ANN, "--role", "admin")

    assert said.stdout == f"Added {ANN} as admin\n"
    assert dagy("users", "show", ANN, "--json").json["role"] == "admin"


def test_people_are_listed_with_their_roles(dagy: Any, ann: Any) -> None:
    header, row = dagy("users", "list").stdout.splitlines()

    assert header.split() == ["email", "role", "is_enabled", "status", "created_at", "id"]
    assert row.split() == [ANN, "developer", "true", "FORCE_CHANGE_PASSWORD", ann["created_at"], ann["id"]]


@pytest.mark.parametrize("name", [ANN, "ANN@Example.com", "{id}"])
def test_a_role_is_changed_whatever_name_is_given(dagy: Any, ann: Any, name: str) -> None:
    said = dagy("users", "set-role", name.format(**ann), "admin")

    assert said.stdout == f"{ANN} is admin\n"
    assert said.stderr == "It counts everywhere within half a minute.\n"
    assert roles(dagy) == {ANN: "admin"}


def test_somebody_is_disabled_enabled_and_removed(dagy: Any, ann: Any) -> None:
    assert dagy("users", "disable", ANN).stdout == f"Disabled {ANN} (developer)\n"
    assert dagy("users", "show", ANN, "--json").json["is_enabled"] is False
    assert dagy("users", "enable", ANN).stdout == f"Enabled {ANN} (developer)\n"
    assert dagy("users", "show", ANN, "--json").json["is_enabled"] is True

    assert dagy("users", "remove", ANN, "--yes").stdout == f"Removed {ANN} (developer)\n"
    assert roles(dagy) == {}


@pytest.mark.parametrize(
    "words, code, told",
    [
        pytest.param(["add", ANN], 6, f"There is a user '{ANN}' already", id="somebody who is there"),
        pytest.param(["add", "ann"], 2, "Invalid email address 'ann'", id="what is no address"),
        pytest.param(["add", "x@example.com", "--role", "boss"], 2, "'boss' is not one of", id="no role"),
        pytest.param(["set-role", ANN, "boss"], 2, "'boss' is not one of", id="another that is none"),
        pytest.param(["set-role", "x@example.com", "admin"], 5, "User not found: x@example.com", id="nobody's role"),
        pytest.param(["show", "x@example.com"], 5, "`dagy users list` shows those there are", id="nobody"),
        pytest.param(["disable", "x@example.com"], 5, "User not found", id="nobody to disable"),
        pytest.param(["enable", "x@example.com"], 5, "User not found", id="nobody to enable"),
        pytest.param(["remove", "x@example.com", "--yes"], 5, "User not found", id="nobody to remove"),
        pytest.param(["set-rol", ANN], 2, "Did you mean 'set-role'?", id="a mistyped verb"),
    ],
)
def test_what_cannot_be_done_is_told(dagy: Any, ann: Any, words: list[str], code: int, told: str) -> None:
    assert told in dagy("users", *words, expect=code).stderr

    assert roles(dagy) == {ANN: "developer"}


@pytest.mark.parametrize("role", ["viewer", "developer"])
@pytest.mark.parametrize(
    "words",
    [
        ["users", "list"], ["users", "show", ANN], ["users", "add", "x@example.com"],
        ["users", "set-role", ANN, "admin"], ["users", "disable", ANN], ["users", "remove", ANN, "--yes"],
        ["audit", "list"],
    ],
)  # fmt: skip
def test_only_admins_may(
    dagy: Any, stage: Any, ann: Any, role: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGY_API_KEY", stage.key(role))

    said = dagy(*words, expect=3)

    assert f"This needs the role 'admin'; '{role}' is {role}" in said.stderr
    assert "Ask an admin for a key with that role." in said.stderr


# --- the audit log ------------------------------------------------------------------------------------------


def test_who_changed_what_is_told_newest_first(dagy: Any, ann: Any) -> None:
    dagy("users", "set-role", ANN, "admin")

    header, *rows = (line.split() for line in dagy("audit", "list").stdout.splitlines())

    assert header == ["at", "actor_kind", "actor_name", "action", "resource"]
    assert [row[1:] for row in rows] == [
        ["key", "admin", "users.role.change", f"users/{ANN}"],
        ["key", "admin", "users.create", f"users/{ANN}"],
    ]


def test_entries_are_chosen_by_actor_resource_time_and_number(dagy: Any, stage: Any, ann: Any) -> None:
    key_id = dagy("keys", "create", "--name", "ci", "--json").json["id"]

    def actions(*options: str) -> list[str]:
        return [entry["action"] for entry in dagy("audit", "list", *options, "--json").json]

    assert actions() == ["keys.create", "users.create"]
    assert actions("--limit", "1") == ["keys.create"]
    assert actions("--resource", "users") == ["users.create"]
    assert actions("--resource", f"keys/{key_id}") == actions("--resource", "keys") == ["keys.create"]
    assert actions("--actor", "admin", "--after", "1h") == ["keys.create", "users.create"]
    assert actions("--after", "2099-01-01") == actions("--actor", "nobody") == []


def test_a_time_that_is_none_is_told(dagy: Any, stage: Any) -> None:
    assert "'soon' is no time" in dagy("audit", "list", "--after", "soon", expect=2).stderr
