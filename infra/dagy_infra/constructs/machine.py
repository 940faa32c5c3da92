"""A state machine that invokes functions of the stage, and nothing else: what the timers and the task machine are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from dagy_infra.constructs.accepted import accept
from dagy_infra.constructs.function import StageFunction, invoking

INVOKE: Final = f"arn:{Aws.PARTITION}:states:::lambda:invoke"
TRANSIENT: Final = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""What Step Functions calls an invocation that never began."""


class InvokingMachine(Construct):
    """It can invoke only the functions named to `may_invoke`, whatever its input says. A standard machine: it waits up
    to a year, and the name of an execution is unique for 90 days.
    """

    def __init__(self, scope: Construct, construct_id: str, definition: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        self._role: Final = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        # Beside the role, not in it: the functions' environment names the machine, and the policy names the functions.
        self._policy: Final = iam.Policy(self, "Policy", roles=[self._role])
        # The plain resource: the construct of the CDK would make the machine wait for the policy.
        self._machine: Final = sfn.CfnStateMachine(
            self, "Machine", role_arn=self._role.role_arn, definition_string=Stack.of(self).to_json_string(definition)
        )
        for rule in ("SF1", "SF2"):
            accept(
                self._machine,
                rule,
                "It waits and invokes: its history, kept for 90 days, says all that a log or a trace could",
            )

    @property
    def arn(self) -> str:
        return self._machine.attr_arn

    def may_invoke(self, *functions: StageFunction) -> None:
        self._policy.add_statements(invoking(None, *functions))  # without an id, so that the CDK merges the calls

    def _starting(self, sid: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid=sid, actions=["states:StartExecution"], resources=[self.arn])
