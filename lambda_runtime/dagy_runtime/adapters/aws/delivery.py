"""Messages to the stage's functions: now by asynchronous invocation, later by an execution of the timer machine, and
tasks as executions of the task machine, or of the container machine.

IAM: lambda:InvokeFunction on the runtime and control functions; states:StartExecution on the three state machines.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from dagy.core.errors import NotFound
from dagy.core.sizes import Size
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.errors import error_code, translated
from dagy_runtime.adapters.aws.settings import Functions
from dagy_runtime.messages import Message, RunTask, to_json

_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")  # Step Functions allows more, CloudWatch Logs does not


class LambdaDispatcher:
    """Lambda keeps what it accepted for up to six hours, retries twice, then calls the on-failure destination."""

    def __init__(self, clients: Clients, functions: Functions) -> None:
        self._clients = clients
        self._functions = functions

    def to_runtime(self, size: Size, message: Message) -> None:
        self._invoke(self._functions.runtime(size), message)

    def to_control(self, message: Message) -> None:
        self._invoke(self._functions.control_function(), message)

    def _invoke(self, function: str, message: Message) -> None:
        with translated("lambda:InvokeFunction", function):
            self._clients.get("lambda").invoke(
                FunctionName=function, InvocationType="Event", Payload=json.dumps(to_json(message)).encode()
            )


class StepFunctionsTimers:
    """An execution's name stays taken for 90 days after it ended, which is what makes a repeat change nothing."""

    def __init__(self, clients: Clients, functions: Functions, *, state_machine: str) -> None:
        self._clients = clients
        self._functions = functions
        self._state_machine = state_machine

    def to_runtime_at(self, size: Size, message: Message, *, at: float, name: str) -> None:
        self._start(self._functions.runtime(size), message, at=at, name=name)

    def to_control_at(self, message: Message, *, at: float, name: str) -> None:
        self._start(self._functions.control_function(), message, at=at, name=name)

    def _start(self, function: str, message: Message, *, at: float, name: str) -> None:
        request: dict[str, Any] = {"until": to_iso(at), "function": function, "message": to_json(message)}
        try:
            with translated("states:StartExecution", self._state_machine, passing=("ExecutionAlreadyExists",)):
                self._clients.get("stepfunctions").start_execution(
                    stateMachineArn=self._state_machine, name=execution_name(name), input=json.dumps(request)
                )
        except Exception as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise


class StepFunctionsExecutions:
    """Only those that release tasks know the machine. Both machines are told the same."""

    def __init__(self, clients: Clients, functions: Functions, *, state_machine: str) -> None:
        self._clients = clients
        self._functions = functions
        self._state_machine = state_machine

    def start(self, size: Size, message: RunTask, *, name: str) -> None:
        """Raises: NotFound in a function that releases no tasks."""
        if not self._state_machine:
            raise NotFound("task state machine", "this function was told of none", "Only runtime functions know it.")
        request = {"function": self._functions.runtime(size), "size": size.value, "message": to_json(message)}
        with translated("states:StartExecution", self._state_machine):
            self._clients.get("stepfunctions").start_execution(
                stateMachineArn=self._state_machine, name=execution_name(name), input=json.dumps(request)
            )


def execution_name(name: str) -> str:
    """`name` itself where Step Functions takes it, else its beginning and a hash of the whole."""
    if _EXECUTION_NAME.fullmatch(name):
        return name
    return f"{re.sub('[^A-Za-z0-9_-]', '-', name)[:47]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
