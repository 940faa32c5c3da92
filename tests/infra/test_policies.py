"""Least privilege, checked on every policy of every stage."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dagy.core.names import WRITTEN_PREFIXES
from dagy_infra.constructs.encryption import USES
from dagy_runtime.adapters.aws import schema, table

WRITING = {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}

# The only statements whose resources have a wildcard. The reasons stand where the statements are made; cdk-nag's test
# reads them.
WILDCARDS = {"DeletePackages", "ManageSchedules", "ReadObjects", "ReadState", "WriteObjects", "WriteOwnLog"}
WILDCARDS_ON_DEMAND = {"AttachToNetwork", "SendTraces"}
WILDCARDS_OF_CONTAINERS = {"RunContainers", "WatchContainers"}


@pytest.fixture(params=["dev", "prod", "local", "tailored"])
def synthesised(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def _statements(synthesised) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in synthesised.resources():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Cognito::UserPool":  # whose "policies" are about passwords
            continue
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
        if statement["Effect"] != "Allow" or "Principal" in statement:
            continue
        for resource in _list(statement["Resource"]):
            if "*" in json.dumps(resource) or (statement.get("Sid") == "WriteOwnLog"):
                reasons = WILDCARDS | WILDCARDS_ON_DEMAND | WILDCARDS_OF_CONTAINERS
                assert statement.get("Sid") in reasons, (logical_id, statement)
                used.add(statement["Sid"])
            assert resource != "*" or statement["Sid"] in WILDCARDS_ON_DEMAND
    is_tailored = synthesised.stage.settings.vpc_id is not None
    of_containers = WILDCARDS_OF_CONTAINERS if synthesised.stage.has_containers else set()
    assert used == WILDCARDS | (WILDCARDS_ON_DEMAND if is_tailored else set()) | of_containers


def test_no_policy_of_aws_is_attached(synthesised) -> None:
    roles = list(synthesised.resources("AWS::IAM::Role"))
    # Six runtimes, control, failures, API, two timers, tasks, schedules; containers, what starts them, their machine.
    assert len(roles) == (16 if synthesised.stage.has_containers else 13)
    for _, role in roles:
        assert "ManagedPolicyArns" not in role["Properties"]


def test_functions_may_write_no_artifact(synthesised) -> None:
    for _, statement in _statements(synthesised):
        if "s3:PutObject" in _list(statement["Action"]) and statement["Effect"] == "Allow":
            for resource in _list(statement["Resource"]):
                [below] = re.findall(r'/(runs|state)/[a-z/-]*\*"', json.dumps(resource))
                assert below in WRITTEN_PREFIXES


# --- what a flow may do: its process has its runtime's rights -----------------------------------------------


def _rights(synthesised, name: str) -> list[dict[str, Any]]:
    """The statements of the functions whose ids begin so; all of one kind have the same, but for their own names."""
    policies = [r for key, r in synthesised.resources("AWS::IAM::Policy") if key.startswith(name)]
    assert policies
    return [s for policy in policies for s in policy["Properties"]["PolicyDocument"]["Statement"]]


def _actions(statements: list[dict[str, Any]], prefix: str) -> set[str]:
    return {action for s in statements for action in _list(s["Action"]) if action.startswith(prefix)}


def _targets(statements: list[dict[str, Any]], action: str) -> set[str]:
    """The ids of what it may be done to."""
    return {
        re.sub("[0-9A-F]{8}$", "", resource["Fn::GetAtt"][0] if "Fn::GetAtt" in resource else resource["Ref"])
        for s in statements
        for resource in _list(s["Resource"])
        if action in _list(s["Action"])
    }


def test_a_flow_reaches_records_of_runs_and_no_others(synthesised) -> None:
    statements = [s for s in _rights(synthesised, "Runtimes") if _actions([s], "dynamodb:")]
    assert len(statements) == 6
    for statement in statements:
        assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["RUN#*"]}}
        [table] = _list(statement["Resource"])
        assert "index" not in json.dumps(table)
    for key in (schema.run_key("x"), schema.lease_key("x"), schema.task_key("x", "t-1"), schema.event_key("x", "e")):
        assert key.pk.startswith("RUN#")
    others = (
        schema.flow_key("x", "1"),
        schema.deployment_key("x"),
        schema.api_key_key("x"),
        schema.idempotency_key("x"),
    )
    assert not [key for key in others if key.pk.startswith("RUN#")]


def test_a_flow_can_do_nothing_else_than_this(synthesised) -> None:
    """A right that is added here is given to everybody who may deploy a flow."""
    statements = _rights(synthesised, "Runtimes")
    denied = _actions(
        [s for s in statements if s["Effect"] == "Deny"], ""
    )  # what only Lambda itself may do with the role
    allowed = _actions(statements, "") - denied
    if synthesised.stage.settings.kms_key_arn:
        assert {action for action in allowed if action.startswith("kms:")} == set(USES)
        allowed -= {*USES, "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    assert allowed == {
        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
        "dynamodb:UpdateItem",
        "lambda:InvokeFunction",
        "logs:CreateLogStream", "logs:PutLogEvents",
        "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject",
        "states:StartExecution",
    }  # fmt: skip


def test_a_flow_overwrites_data_of_runs_at_most(synthesised) -> None:
    for statement in _rights(synthesised, "Runtimes"):
        if "s3:PutObject" in _list(statement["Action"]):
            below = re.findall(r'[^:]/([a-z/-]+)\*"', json.dumps(statement["Resource"]))
            assert below == ["runs/", "state/runs/"]


def test_whatever_a_flow_can_start_is_a_runtime_or_buries_runs(synthesised) -> None:
    """The state machines that it may start invoke just what it may itself, and none of these functions can start the
    control function.
    """
    functions = _targets(_rights(synthesised, "Runtimes"), "lambda:InvokeFunction")
    assert {name for name in functions if not name.startswith("Runtimes")} == {"FailuresFunction"}
    machines = _targets(_rights(synthesised, "Runtimes"), "states:StartExecution")
    of_containers = {"ContainersMachine"} if synthesised.stage.has_containers else set()
    assert machines == {"RuntimeTimerMachine", "RuntimesTasksMachine"} | of_containers
    for machine in ("RuntimeTimer", "RuntimesTasks", *of_containers):
        started = _targets(_rights(synthesised, machine), "lambda:InvokeFunction")
        assert started and started <= functions


def test_what_takes_failures_starts_nothing(synthesised) -> None:
    statements = _rights(synthesised, "Failures")
    assert not _actions(statements, "lambda:") | _actions(statements, "states:") | _actions(statements, "scheduler:")
    [items] = [s for s in statements if _actions([s], "dynamodb:")]
    assert items["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["DEADLETTER#*", "RUN#*"]}}


def test_only_the_api_writes_flows_deployments_and_keys(synthesised) -> None:
    for name in ("Runtimes", "Failures", "Control"):
        for statement in _rights(synthesised, name):
            if _actions([statement], "dynamodb:") & WRITING:
                allowed = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                assert set(allowed) <= {"RUN#*", "DEADLETTER#*", "IDEM#*"}
    [unconditional] = [s for s in _rights(synthesised, "Api") if _actions([s], "dynamodb:") & WRITING]
    assert "Condition" not in unconditional


def test_the_apis_rights_on_the_table_are_what_the_adapter_asks_for(synthesised) -> None:
    """A transaction is allowed by the actions of what is in it."""
    source = inspect.getsource(table)
    in_transactions = {f"dynamodb:{kind}Item" for kind in re.findall(r'\{"(Put|Update|Delete)": ', source)}
    checks = {"dynamodb:ConditionCheckItem"} if 'ConditionCheck":' in source else set()
    used = {f"dynamodb:{operation}" for operation in table._METHODS} | in_transactions | checks
    assert in_transactions
    assert _actions(_rights(synthesised, "Api"), "dynamodb:") == used


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
    passing = [s for id, s in _statements(synthesised) if "iam:PassRole" in _list(s["Action"])]
    [statement] = [s for s in passing if s.get("Sid") != "GiveRoles"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
