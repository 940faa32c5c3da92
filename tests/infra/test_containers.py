"""What a stage with containers has besides: read from the templates that are deployed."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import pytest

from dagy.core.sizes import SHAPES, Size
from dagy_infra.constructs.containers import START
from dagy_runtime.engine.dead_letters import is_failure_event
from dagy_runtime.engine.pacing import CONTAINER_TIME_S, Pacing
from dagy_runtime.messages import RunTask, from_json, to_json


@pytest.fixture(params=["local", "tailored"])
def stage(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def states(stage: Any) -> dict[str, Any]:
    [machine] = [r for id, r in stage.resources("AWS::StepFunctions::StateMachine") if id.startswith("Containers")]
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    told = "".join(part if isinstance(part, str) else next(iter(part.values()))[0] for part in parts)
    found: dict[str, Any] = json.loads(told)["States"]
    return found


def test_a_stage_without_them_has_nothing_of_them(dev: Any, prod: Any) -> None:
    for stage in (dev, prod):
        kinds = {resource["Type"] for _, resource in stage.resources()}
        assert not [kind for kind in kinds if kind.startswith(("AWS::ECS::", "AWS::EC2::"))]
        assert "DAGY_HAS_CONTAINERS" not in json.dumps(stage.app)
        assert "DAGY_CONTAINER_STATE_MACHINE" not in json.dumps(stage.app)


def test_there_is_a_shape_per_size_that_runs_what_the_functions_run(stage: Any) -> None:
    definitions = {r["Properties"]["Family"]: r["Properties"] for _, r in stage.resources("AWS::ECS::TaskDefinition")}
    assert set(definitions) == {f"Dagy-{stage.stage.name}-{size}" for size in Size}
    [code] = {
        f["Properties"]["Code"]["S3Key"] for id, f in stage.resources("AWS::Lambda::Function") if "Runtimes" in id
    }
    for size in Size:
        definition = definitions[f"Dagy-{stage.stage.name}-{size}"]
        [container] = definition["ContainerDefinitions"]
        told = {pair["Name"]: pair["Value"] for pair in container["Environment"]}
        shape = SHAPES[size]
        assert (definition["Cpu"], definition["Memory"]) == (
            str(shape.fargate_cpu_units),
            str(shape.fargate_memory_mib),
        )
        assert definition["RuntimePlatform"]["CpuArchitecture"] == stage.stage.architecture.upper()
        assert container["Image"] == f"public.ecr.aws/lambda/python:{stage.stage.python_version}"
        assert container["ReadonlyRootFilesystem"] is True
        assert (told["DAGY_CODE_KEY"], told["DAGY_SIZE"]) == (code, size.value)


def test_its_command_is_python_that_fits_and_imports_nothing_of_ours_at_first() -> None:
    names = {alias.name for node in ast.parse(START).body if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"boto3", "os", "sys", "tempfile", "zipfile"}
    assert len(START) < 4096


def test_it_is_told_the_message_and_where_it_runs(states: dict[str, Any]) -> None:
    [override] = states["Run"]["Parameters"]["Overrides"]["ContainerOverrides"]
    assert {pair["Name"]: pair["Value.$"] for pair in override["Environment"]} == {
        "DAGY_MESSAGE": "States.JsonToString($.message)",
        "DAGY_RUNTIME_FUNCTION": "$.function",
        "DAGY_CONTAINER_STATE_MACHINE": "$$.StateMachine.Id",
        "DAGY_EXECUTION": "$$.Execution.Name",
    }
    message = RunTask("run-1", "load-1", 0)
    assert from_json(json.loads(json.dumps(to_json(message)))) == message


def test_one_that_never_began_is_tried_for_hours_and_a_lost_one_when_its_lease_has_run_out(states: Any) -> None:
    never_began, lost = states["Run"]["Retry"]
    assert "ECS.AmazonECSException" in never_began["ErrorEquals"]  # what it says when Fargate has no room
    assert never_began["MaxAttempts"] * never_began["MaxDelaySeconds"] > 6 * 3600
    assert (lost["ErrorEquals"], lost["IntervalSeconds"] > Pacing().lease_s) == (["States.ALL"], True)
    assert states["Run"]["TimeoutSeconds"] > CONTAINER_TIME_S


def test_what_it_gives_up_on_is_told_as_lambda_tells_it(states: Any) -> None:
    payload = states["Give up"]["Parameters"]["Payload"]
    assert states["Run"]["Catch"][0]["Next"] == "Give up"
    assert is_failure_event({key.removesuffix(".$"): value for key, value in payload.items()})


def test_containers_may_do_what_functions_may_and_fetch_their_code(stage: Any) -> None:
    def rights(name: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for id, policy in stage.resources("AWS::IAM::Policy"):
            if id.startswith(name):
                for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                    found.setdefault(statement.get("Sid") or "Invoke", []).append(statement)
        return found

    of_task, of_function = rights("ContainersTaskPolicy"), rights("RuntimesNanoPolicy")
    only_functions = {"WriteOwnLog", "SendTraces", "CodeAttachesNothing", "ContinueInANewInvocation", "SendFailures"}
    assert {sid: of_task[sid] for sid in of_function if sid not in only_functions} == {
        sid: statements for sid, statements in of_function.items() if sid not in only_functions
    }
    assert set(of_task) - set(of_function) == {"AdvanceRuns", "FetchRuntime"}
    [advancing], [fetching] = of_task["AdvanceRuns"], of_task["FetchRuntime"]
    assert {resource["Fn::GetAtt"][0][:8] for resource in advancing["Resource"]} == {"Runtimes"}
    assert fetching["Action"] == "s3:GetObject" and "*" not in json.dumps(fetching["Resource"])


def test_the_machine_starts_these_containers_on_this_cluster_and_gives_them_these_roles_only(stage: Any) -> None:
    statements = {
        statement.get("Sid"): statement
        for id, policy in stage.resources("AWS::IAM::Policy")
        if id.startswith("ContainersMachine")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    }
    running = json.dumps(statements["RunContainers"]["Resource"])
    assert [f"task-definition/Dagy-{stage.stage.name}-{size}:*" in running for size in Size] == [True] * len(Size)
    assert len(statements["RunContainers"]["Resource"]) == len(Size)
    [cluster] = [id for id, _ in stage.resources("AWS::ECS::Cluster")]
    assert statements["RunContainers"]["Condition"]["ArnEquals"]["ecs:cluster"]["Fn::GetAtt"][0] == cluster
    roles = {resource["Fn::GetAtt"][0] for resource in statements["GiveRoles"]["Resource"]}
    assert {role.rstrip("0123456789ABCDEF") for role in roles} == {"ContainersTask", "ContainersStarter"}
    assert statements["GiveRoles"]["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_nobody_gets_in_and_nothing_of_the_network_costs_anything(local: Any, tailored: Any) -> None:
    for _, group in local.resources("AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in group["Properties"]
    assert not list(local.resources("AWS::EC2::NatGateway")) + list(local.resources("AWS::EC2::EIP"))
    assert not list(local.resources("AWS::Lambda::LayerVersion"))
    assert not list(tailored.resources("AWS::EC2::VPC"))  # it has one already


def test_in_a_vpc_of_ones_own_a_container_has_no_address_but_a_private_one(
    local: Any, tailored: Any, request: pytest.FixtureRequest
) -> None:
    addresses = {}
    for name, stage in (("local", local), ("tailored", tailored)):
        [machine] = [r for id, r in stage.resources("AWS::StepFunctions::StateMachine") if id.startswith("Containers")]
        text = json.dumps(machine["Properties"]["DefinitionString"])
        addresses[name] = ("ENABLED" in text, "subnet-0a1b2c3d" in text, "sg-0a1b2c3d" in text)
    assert addresses == {"local": (True, False, False), "tailored": (False, True, True)}


def test_cdk_nag_finds_nothing_in_a_network_of_dagys_own(synthesise: Callable[..., Any]) -> None:
    folder = synthesise("dev", is_nagged=True, fargate="true", sizes="nano").folder
    reports = [json.loads(path.read_text()) for path in folder.glob("validation-report.json")]
    assert not [v for report in reports for plugin in report["pluginReports"] for v in plugin["violations"]]
