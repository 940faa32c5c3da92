"""Start this later: a state machine that waits until a time and then invokes a function, asynchronously."""

from __future__ import annotations

from typing import Final

from aws_cdk import Aws, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from dagy_infra.constructs.accepted import accept
from dagy_infra.constructs.function import StageFunction, invoking


class Timer(Construct):
    """Input: `{"until": <ISO 8601, Z>, "function": <name or ARN>, "message": {…}}`. Nothing polls while it waits.

    It can invoke only the functions named to `may_invoke`, whatever its input says. A standard machine: it waits up
    to a year, and the name of an execution is unique for 90 days, which makes a repeated timer harmless.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._role: Final = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        # Beside the role, not in it: the functions' environment names the machine, and the policy names the functions.
        self._policy: Final = iam.Policy(self, "Policy", roles=[self._role])
        # The plain resource: the construct of the CDK would make the machine wait for the policy.
        self._machine: Final = sfn.CfnStateMachine(
            self, "Machine", role_arn=self._role.role_arn, definition_string=Stack.of(self).to_json_string(_DEFINITION)
        )
        for rule in ("SF1", "SF2"):
            accept(
                self._machine,
                rule,
                "It waits and invokes: its history, kept for 90 days, says all that a log or a trace could",
            )
        Tags.of(self).add("dagy:component", "timer")

    @property
    def arn(self) -> str:
        return self._machine.attr_arn

    def may_invoke(self, *functions: StageFunction) -> None:
        self._policy.add_statements(invoking(None, *functions))  # without an id, so that the CDK merges the calls

    def starting(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="SetTimers", actions=["states:StartExecution"], resources=[self.arn])


_DEFINITION: Final = {
    "Comment": "Wait until a time, then invoke a function",
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "TimestampPath": "$.until", "Next": "Invoke"},
        "Invoke": {
            "Type": "Task",
            "Resource": f"arn:{Aws.PARTITION}:states:::lambda:invoke",
            "Parameters": {"FunctionName.$": "$.function", "InvocationType": "Event", "Payload.$": "$.message"},
            "Retry": [
                {
                    "ErrorEquals": [
                        "Lambda.ServiceException",
                        "Lambda.AWSLambdaException",
                        "Lambda.SdkClientException",
                        "Lambda.TooManyRequestsException",
                    ],
                    "IntervalSeconds": 2,
                    "BackoffRate": 2,
                    "MaxAttempts": 10,
                    "MaxDelaySeconds": 300,
                    "JitterStrategy": "FULL",
                }
            ],
            "End": True,
        },
    },
}
