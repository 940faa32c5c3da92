"""Start this later: a state machine that waits until a time and then invokes a function, asynchronously."""

from __future__ import annotations

from typing import Final

from aws_cdk import Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.constructs.machine import INVOKE, TRANSIENT, InvokingMachine


class Timer(InvokingMachine):
    """Input: `{"until": <ISO 8601, Z>, "function": <name or ARN>, "message": {…}}`. Nothing polls while it waits. That
    names of executions are unique makes a repeated timer harmless.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, _DEFINITION)
        Tags.of(self).add("dagy:component", "timer")

    def starting(self) -> iam.PolicyStatement:
        return self._starting("SetTimers")


_DEFINITION: Final = {
    "Comment": "Wait until a time, then invoke a function",
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "TimestampPath": "$.until", "Next": "Invoke"},
        "Invoke": {
            "Type": "Task",
            "Resource": INVOKE,
            "Parameters": {"FunctionName.$": "$.function", "InvocationType": "Event", "Payload.$": "$.message"},
            "Retry": [
                {
                    "ErrorEquals": list(TRANSIENT),
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
