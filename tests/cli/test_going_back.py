"""`dagy deployments history` and `rollback`, against a stage."""

from __future__ import annotations

from typing import Any

import pytest

FLOW = """
from dagy import flow, task

@task
def say() -> int:
    return {value}

@flow
def etl():
    return say()
"""


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Any) -> Any:
    dagy("deploy", f"{project(FLOW.format(value=1))}:etl")
    return stage


def test_a_rollback_without_a_version_goes_back_to_the_code_before(dagy: Any, deployed: Any, project: Any) -> None:
    first = dagy("deployments", "show", "etl", "--json").json
    dagy("deploy", f"{project(FLOW.format(value=2))}:etl")
    dagy("deployments", "pause", "etl")
    assert dagy("deployments", "show", "etl", "--json").json["artifact_sha256"] != first["artifact_sha256"]
    dagy("deployments", "rollback", "etl")
    assert dagy("deployments", "show", "etl", "--json").json["artifact_sha256"] == first["artifact_sha256"]
    assert dagy("flows", "show", "etl", "--json").json["artifact_sha256"] == first["artifact_sha256"]


def test_a_rollback_goes_back_and_the_history_shows_it(dagy: Any, deployed: Any) -> None:
    first = dagy("deployments", "show", "etl", "--json").json
    dagy("deployments", "pause", "etl")
    listed = dagy("deployments", "history", "etl", "--json").json
    assert [row["deployment_version"] for row in listed] == [2, 1]
    assert listed[1]["artifact_sha256"] == first["artifact_sha256"]
    back = dagy("deployments", "rollback", "etl", "--to", "1")
    assert back.stdout.startswith(f"etl is at version 3: etl:{first['flow_version']}, artifact ")
    assert dagy("deployments", "show", "etl", "--json").json["status"] == "PAUSED"
    assert dagy("deployments", "history", "etl", "--limit", "1").stdout.count("\n") < 5


def test_a_dry_run_of_a_rollback_changes_nothing(dagy: Any, deployed: Any) -> None:
    said = dagy("deployments", "rollback", "etl", "--to", "1", "--dry-run")
    assert said.stdout == "Would take etl from version 1 back to version 1\n"
    assert dagy("deployments", "show", "etl", "--json").json["deployment_version"] == 1


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        pytest.param(["history", "nope"], 5, "Deployment not found: nope", id="history of nothing"),
        pytest.param(["rollback", "nope"], 5, "Deployment not found: nope", id="rollback of nothing"),
        pytest.param(["rollback", "etl"], 6, "no earlier version with other code", id="nothing to go back to"),
        pytest.param(["rollback", "etl", "--to", "7"], 2, "has no version 7", id="a version that never was"),
    ],
)
def test_what_cannot_be_done_is_said(dagy: Any, deployed: Any, arguments: list[str], code: int, words: str) -> None:
    assert words in dagy("deployments", *arguments, expect=code).stderr
