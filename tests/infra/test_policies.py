"""Least privilege, checked on every policy of every stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

# The only resources with a wildcard, and why each has one.
WILDCARDS = {
    "WriteOwnLog": "log streams are below the function's own log group",
    "ReadObjects": "`dagy deploy --prefix` puts artifacts where it likes; one bucket, read only",
    "WriteRuns": "runs and large state lie below two prefixes of the one bucket",
    "ManageSchedules": "one schedule per deployment, in the stage's own group",
}


@pytest.fixture(params=["dev", "prod", "local"])
def synthesised(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def _statements(synthesised) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in synthesised.resources():
        properties = resource.get("Properties", {})
        documents = [properties.get("PolicyDocument")] + [p["PolicyDocument"] for p in properties.get("Policies", [])]
        for document in filter(None, documents):
            for statement in document["Statement"]:
                yield logical_id, statement


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_action_is_a_wildcard(synthesised) -> None:
    allowed = [s for _, s in _statements(synthesised) if s["Effect"] == "Allow"]
    assert len(allowed) > 30
    for statement in allowed:
        assert "NotAction" not in statement
        assert not any("*" in action for action in _list(statement["Action"])), statement


def test_no_resource_is_a_wildcard_without_a_reason(synthesised) -> None:
    used = set()
    for logical_id, statement in _statements(synthesised):
        if statement["Effect"] != "Allow":
            continue
        for resource in _list(statement.get("Resource", [])):
            assert resource != "*", logical_id
            if "*" in json.dumps(resource) or (statement.get("Sid") == "WriteOwnLog"):
                assert statement.get("Sid") in WILDCARDS, (logical_id, statement)
                used.add(statement["Sid"])
    assert used == set(WILDCARDS)


def test_no_policy_of_aws_is_attached(synthesised) -> None:
    roles = list(synthesised.resources("AWS::IAM::Role"))
    assert len(roles) == 10  # six runtimes, control, API, timer, schedules
    for _, role in roles:
        assert "ManagedPolicyArns" not in role["Properties"]


def test_functions_may_write_no_artifact(synthesised) -> None:
    for _, statement in _statements(synthesised):
        if "s3:PutObject" in _list(statement["Action"]) and statement["Effect"] == "Allow":
            for resource in _list(statement["Resource"]):
                assert json.dumps(resource).endswith(('/runs/*"]]}', '/state/*"]]}'))


def test_the_timer_and_the_schedules_start_functions_of_their_stage_only(synthesised) -> None:
    functions = {key for key, _ in synthesised.resources("AWS::Lambda::Function")}
    seen = 0
    for _, statement in _statements(synthesised):
        if "lambda:InvokeFunction" in _list(statement["Action"]):
            targets = {resource["Fn::GetAtt"][0] for resource in _list(statement["Resource"])}
            assert targets <= functions
            seen += 1
    assert seen >= 10


def test_schedules_may_call_the_control_function_only(synthesised) -> None:
    [policy] = [r for key, r in synthesised.resources("AWS::IAM::Policy") if key.startswith("Scheduling")]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Resource"]["Fn::GetAtt"][0].startswith("Control")


def test_the_role_of_schedules_can_be_given_to_the_scheduler_only(synthesised) -> None:
    passing = [s for _, s in _statements(synthesised) if "iam:PassRole" in _list(s["Action"])]
    [statement] = passing
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
