"""cdk-nag's pack AwsSolutions finds nothing but what was accepted, with a reason, where it was decided."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagy_infra.constructs.accepted import _flat

ACKNOWLEDGED = "aws:cdk:acknowledged-rules"


@pytest.mark.parametrize("stage", ["prod", "tailored"])
def test_cdk_nag_finds_nothing(stage: str, request: pytest.FixtureRequest) -> None:
    """A finding ends the synthesis; a warning would be in the report."""
    folder = request.getfixturevalue(stage).folder
    reports = [json.loads(path.read_text()) for path in folder.glob("validation-report.json")]
    assert not [
        violation for report in reports for plugin in report["pluginReports"] for violation in plugin["violations"]
    ]


def test_at_most_ten_rules_are_broken_on_purpose_each_for_a_reason_and_three_more_for_containers(tailored) -> None:
    accepted = {(rule.split("[")[0], reason) for rule, reason in _acknowledgements(tailored)}
    of_containers = {(rule, reason) for rule, reason in accepted if "-ECS" in rule or reason.startswith("Containers ")}
    assert len(of_containers) == 3
    assert 1 < len(accepted - of_containers) <= 10
    assert all(len(reason.split()) > 5 for _, reason in accepted)


def test_every_acknowledged_wildcard_is_one_that_a_policy_has(tailored) -> None:
    """One that no policy has any more would let a later one through."""
    had = set()
    for _, resource in tailored.resources("AWS::IAM::Policy"):
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            found = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            had |= {f"AwsSolutions-IAM5[Resource::{_flat(r)}]" for r in found if "*" in json.dumps(r)}
    acknowledged = {rule for rule, _ in _acknowledgements(tailored) if "IAM5" in rule}
    assert len(acknowledged) >= 7
    assert acknowledged <= had


def _acknowledgements(synthesised) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path in synthesised.folder.glob("*.metadata.json"):
        found += _in_metadata(json.loads(path.read_text()))
    assert found
    return found


def _in_metadata(metadata: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str]]:
    return [
        (rule.split("::", 1)[1], reason)
        for entries in metadata.values()
        for entry in entries
        if entry["type"] == ACKNOWLEDGED
        for rule, reason in entry["data"].items()
    ]
