"""The executor `ecs`: a state machine of which every execution is one task of a run, in a container on Fargate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Aws, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.constructs.accepted import WildcardStatement
from dagy_infra.constructs.function import StageFunction
from dagy_infra.constructs.machine import InvokingMachine
from dagy_infra.constructs.task_machine import WHEN_IT_NEVER_BEGAN, WHEN_IT_WAS_LOST, giving_up
from dagy_runtime.engine.pacing import CONTAINER_TIME_S

CONTAINER: Final = "task"
_RUN: Final = f"arn:{Aws.PARTITION}:states:::ecs:runTask.sync"
_TRANSIENT: Final = ("ECS.AmazonECSException", "ECS.ServerException", "ECS.ThrottlingException", "AmazonECS.Unknown")
"""What Step Functions calls a container that never began; the first one is also said when Fargate has no room."""
_START_S: Final = 900
_OWN: Final = (
    "Containers and revisions cannot be named before they exist: the stage's own cluster and task definitions are named"
)


class ContainerMachine(InvokingMachine):
    """Input: `{"function": <name>, "size": <size>, "message": <a RunTask>}`. It starts a container of the size, waits
    for its end, and starts another when it ended otherwise than with 0: only then is anything left to be done.

    What cannot be delivered goes to `failures`, as it does from the task machine.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster_arn: str,
        cluster_name: str,
        family: str,
        network: Mapping[str, Any],
        failures: StageFunction,
    ) -> None:
        """`family` is what the names of the task definitions begin with; the size follows."""
        definition = _definition(cluster=cluster_arn, family=family, network=network, failures=failures.name)
        super().__init__(scope, construct_id, definition)
        self.may_invoke(failures)
        self._may_watch(cluster_name)
        Tags.of(self).add("dagy:component", "container-machine")

    def starting(self) -> iam.PolicyStatement:
        return self._starting("StartContainers")

    def may_run(self, families: Sequence[str], *, cluster_arn: str, roles: Sequence[iam.IRole]) -> None:
        """Containers of these task definitions, in whatever revision, and with these roles."""
        running = WildcardStatement(
            reason=_OWN,
            sid="RunContainers",
            actions=["ecs:RunTask"],
            resources=[_arn("ecs", f"task-definition/{family}:*") for family in families],
            conditions={"ArnEquals": {"ecs:cluster": cluster_arn}},
        )
        passing = iam.PolicyStatement(
            sid="GiveRoles",
            actions=["iam:PassRole"],
            resources=[role.role_arn for role in roles],
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        )
        self._policy.add_statements(running, passing)
        running.accept_in(self._policy)

    def _may_watch(self, cluster_name: str) -> None:
        """What Step Functions asks for to wait for a container: it has events of ECS sent to itself."""
        watching = WildcardStatement(
            reason=_OWN,
            sid="WatchContainers",
            actions=["ecs:DescribeTasks", "ecs:StopTask"],
            resources=[_arn("ecs", f"task/{cluster_name}/*")],
        )
        hearing = iam.PolicyStatement(
            sid="HearOfContainers",
            actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            resources=[_arn("events", "rule/StepFunctionsGetEventsForECSTaskRule")],
        )
        self._policy.add_statements(watching, hearing)
        watching.accept_in(self._policy)


def _arn(service: str, what: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{what}"


def _definition(*, cluster: str, family: str, network: Mapping[str, Any], failures: str) -> dict[str, Any]:
    told = {
        "DAGY_MESSAGE": "States.JsonToString($.message)",
        "DAGY_RUNTIME_FUNCTION": "$.function",
        "DAGY_CONTAINER_STATE_MACHINE": "$$.StateMachine.Id",
        "DAGY_EXECUTION": "$$.Execution.Name",
    }
    environment = [{"Name": name, "Value.$": path} for name, path in told.items()]
    return {
        "Comment": "Run one task in a container",
        "StartAt": "Run",
        "States": {
            "Run": {
                "Type": "Task",
                "Resource": _RUN,
                "Parameters": {
                    "Cluster": cluster,
                    "LaunchType": "FARGATE",
                    "TaskDefinition.$": f"States.Format('{family}-{{}}', $.size)",
                    "NetworkConfiguration": {"AwsvpcConfiguration": network},
                    "Overrides": {"ContainerOverrides": [{"Name": CONTAINER, "Environment": environment}]},
                },
                "TimeoutSeconds": int(CONTAINER_TIME_S) + _START_S,
                "Retry": [
                    {**WHEN_IT_NEVER_BEGAN, "ErrorEquals": list(_TRANSIENT)},
                    {**WHEN_IT_WAS_LOST, "MaxAttempts": 4},  # images are pulled from where everybody pulls
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Give up"}],
                "Next": "Done",
            },
            "Give up": giving_up(failures),
            "Failed": {
                "Type": "Fail",
                "Error": "ContainerFailed",
                "Cause": "The run's task says why: dagy runs inspect",
            },
            "Done": {"Type": "Succeed"},
        },
    }
