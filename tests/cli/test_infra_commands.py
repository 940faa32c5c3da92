"""`dagy infra`: whose stage a command means, and what it says of one that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.config import write_profile


@pytest.fixture(autouse=True)
def profiles(aws: Any) -> None:
    write_profile("eu", stage="prod", region="eu-west-1")  # the first one, so the default one
    write_profile("local", stage="local", region="us-east-1", endpoint_url="http://127.0.0.1:9")
    write_profile("web", api_url="https://api.example.com")


def _stacks(dagy: Any, *words: str) -> list[str]:
    return [stack["name"] for stack in dagy("infra", "status", *words, "--json").json]


@pytest.mark.parametrize(
    "words, stage",
    [
        pytest.param([], "dev", id="dev when nothing was said, whatever the default profile is"),
        pytest.param(["-p", "eu"], "prod", id="the profile's, in its region"),
        pytest.param(["-p", "eu", "--stage", "dev", "--region", "us-east-1"], "dev", id="the flag wins"),
        pytest.param(["-p", "local", "--stage", "dev"], "dev", id="another stage is not in the local cloud"),
        pytest.param(["-p", "web", "--stage", "dev"], "dev", id="a profile without a stage needs the flag"),
    ],
)
def test_which_stage_is_meant(dagy: Any, words: list[str], stage: str) -> None:
    assert _stacks(dagy, *words) == [f"Dagy-{stage}-Data", f"Dagy-{stage}-App"]


def test_the_environment_chooses_a_profile_too(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGY_PROFILE", "eu")
    assert _stacks(dagy) == ["Dagy-prod-Data", "Dagy-prod-App"]


@pytest.mark.parametrize(
    "words, code, told",
    [
        pytest.param(["status", "-p", "nobody"], 5, "Profile not found: nobody", id="unknown profile"),
        pytest.param(
            ["destroy", "-p", "nobody", "--yes"], 5, "Profile not found: nobody", id="never a guess to destroy"
        ),
        pytest.param(["deploy", "-p", "nobody"], 5, "Profile not found: nobody", id="a new profile needs a stage"),
        pytest.param(["status", "-p", "web"], 2, "Profile web names no stage", id="profile without a stage"),
        pytest.param(["status", "-p", "local"], 4, "dagy local start", id="the local cloud does not run"),
        pytest.param(["deploy", "--stage", "local"], 2, "dagy local start", id="the local cloud deploys itself"),
        pytest.param(["deploy", "-p", "eu", "--stage", "dev"], 2, "would be lost", id="a profile is not overwritten"),
        pytest.param(["status", "--stage", "qa"], 5, "dagy infra deploy --stage qa", id="no such stage"),
        pytest.param(["outputs", "--stage", "qa"], 5, "dagy infra deploy --stage qa", id="nor its outputs"),
        pytest.param(["destroy", "--stage", "qa", "--yes"], 5, "dagy infra deploy --stage qa", id="nor to destroy"),
    ],
)
def test_what_is_refused(dagy: Any, words: list[str], code: int, told: str) -> None:
    said = dagy("infra", *words, expect=code)
    assert told in said.stderr
    assert said.stdout == ""


def test_destroy_asks_by_stage_account_and_region(dagy: Any) -> None:
    said = dagy("infra", "destroy", "-p", "eu", expect=2)
    assert "Delete stack Dagy-prod-App of stage prod in account 123456789012, region eu-west-1?" in said.stderr


def test_destroy_says_what_it_deleted_and_what_is_left(dagy: Any) -> None:
    said = dagy("infra", "destroy", "-p", "eu", "--yes")
    assert said.stdout == "Deleted stage prod in account 123456789012, region eu-west-1; left: Dagy-prod-Data\n"
    stacks = dagy("infra", "status", "-p", "eu", "--json").json
    assert [stack["status"] for stack in stacks] == ["CREATE_COMPLETE", "NOT_DEPLOYED"]
