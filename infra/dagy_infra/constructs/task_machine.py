"""The executor `step-functions`: a state machine of which every execution is one task of a run."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.constructs.function import StageFunction
from dagy_infra.constructs.machine import INVOKE, TRANSIENT, InvokingMachine
from dagy_runtime.engine.pacing import Pacing

_LEASE_S: Final = int(Pacing().lease_s)


class TaskMachine(InvokingMachine):
    """Input: `{"function": <name>, "message": <a RunTask>}`. It invokes the function, waits for its answer, and invokes
    it again when the answer names a time: that of the next attempt.

    What cannot be delivered goes to `failures`, in the words that Lambda would tell it in. An execution ends as its
    task does, but what it says is for people: how a task ended is written by the function, fenced, before it answers.
    """

    def __init__(self, scope: Construct, construct_id: str, *, timeout_s: int, failures: StageFunction) -> None:
        """`timeout_s` is the functions' own."""
        super().__init__(scope, construct_id, _definition(timeout_s=timeout_s, failures=failures.name))
        self.may_invoke(failures)
        Tags.of(self).add("dagy:component", "task-machine")

    def starting(self) -> iam.PolicyStatement:
        return self._starting("StartTasks")


def _definition(*, timeout_s: int, failures: str) -> dict[str, Any]:
    return {
        "Comment": "Run one task, and again when it asks to be",
        "StartAt": "Run",
        "States": {
            "Run": {
                "Type": "Task",
                "Resource": INVOKE,
                "Parameters": {"FunctionName.$": "$.function", "Payload.$": "$.message"},
                "ResultSelector": {"status.$": "$.Payload.status", "again_at.$": "$.Payload.again_at"},
                "ResultPath": "$.answer",
                "TimeoutSeconds": timeout_s + 2 * _LEASE_S,
                "Retry": [WHEN_IT_NEVER_BEGAN, WHEN_IT_WAS_LOST],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Give up"}],
                "Next": "What now",
            },
            "What now": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.answer.again_at", "IsString": True, "Next": "Wait"},
                    {"Variable": "$.answer.status", "StringEquals": "FAILED", "Next": "Failed"},
                ],
                "Default": "Done",
            },
            "Wait": {"Type": "Wait", "TimestampPath": "$.answer.again_at", "Next": "Run"},
            "Give up": giving_up(failures),
            "Failed": {"Type": "Fail", "Error": "TaskFailed", "Cause": "The run's task says why: dagy runs inspect"},
            "Done": {"Type": "Succeed"},
        },
    }


def giving_up(failures: str) -> dict[str, Any]:
    """The state that tells the failures function what Lambda would, of the message that had the error caught."""
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {
            "FunctionName": failures,
            "InvocationType": "Event",
            "Payload": {
                "requestContext": {"condition": "RetriesExhausted"},
                "requestPayload.$": "$.message",
                "responsePayload": {"errorType.$": "$.error.Error", "errorMessage.$": "$.error.Cause"},
            },
        },
        "Retry": [WHEN_IT_NEVER_BEGAN],
        "Next": "Failed",
    }


WHEN_IT_NEVER_BEGAN: Final = {
    "ErrorEquals": list(TRANSIENT),
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 80,  # about as long as Lambda itself keeps what it has accepted: six hours
    "MaxDelaySeconds": 300,
    "JitterStrategy": "FULL",
}
WHEN_IT_WAS_LOST: Final = {
    "ErrorEquals": ["States.ALL"],
    "IntervalSeconds": _LEASE_S + 5,  # before, it would find the task taken, and end
    "BackoffRate": 2,
    "MaxAttempts": 2,
}
