"""Every error Dagy raises on purpose: one tree, split by what the caller can do about it.

The first level below `DagyError` is the split. The command line turns that level into an exit code, the API
turns it into an HTTP status, and both show `code`, the message and `hint`; nothing else in the project maps
errors. A message says what is wrong and with which value; `hint` says what to do next. Neither ever holds a
secret.

Every class keeps its data as attributes and passes the same values to `Exception.__init__`, so that it pickles: errors
cross the pipe between a task's process and the function around it.
"""

from __future__ import annotations

from typing import ClassVar


class DagyError(Exception):
    """Something went wrong that Dagy can name."""

    code: ClassVar[str] = "error"
    hint: str | None = None


class InvalidInput(DagyError, ValueError):
    """What was typed or sent cannot be meant: correct it and try again."""

    code = "invalid_input"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class InvalidFlow(DagyError):
    """The flow itself is wrong: change its code."""

    code = "invalid_flow"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class ValueNotKnown(InvalidFlow):
    """A flow's body looked into something that has no value while the flow is traced.

    Not a TypeError: library code catches those and answers with its own.
    """

    code = "value_not_known"


class NotFound(DagyError, LookupError):
    """There is no such thing: look at what exists."""

    code = "not_found"

    def __init__(self, kind: str, name: str, hint: str | None = None) -> None:
        super().__init__(kind, name, hint)
        self.kind, self.name, self.hint = kind, name, hint

    def __str__(self) -> str:
        return f"{self.kind.capitalize()} not found: {self.name}"


class Conflict(DagyError):
    """Somebody else changed it, or it is in a state that does not allow this: look again, then decide."""

    code = "conflict"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class Unauthenticated(DagyError):
    """We do not know who is asking: sign in, or give a key."""

    code = "unauthenticated"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class Forbidden(DagyError):
    """We know who is asking, and they may not: ask somebody with the role."""

    code = "forbidden"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class Unavailable(DagyError):
    """Something we depend on did not answer: try again later. Whether a write happened is unknown."""

    code = "unavailable"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return self.message


class RunFailed(DagyError):
    """The run came to an end, and not to a good one: read its logs."""

    code = "run_failed"

    def __init__(self, run_id: str, status: str, message: str | None = None) -> None:
        super().__init__(run_id, status, message)
        self.run_id, self.status, self.message = run_id, status, message

    def __str__(self) -> str:
        reason = f": {self.message}" if self.message else ""
        return f"Run {self.run_id} ended {self.status}{reason}"


class WaitTimedOut(DagyError):
    """What was waited for has not happened in the time given: it may still happen."""

    code = "wait_timed_out"

    def __init__(self, what: str, waited_s: float) -> None:
        super().__init__(what, waited_s)
        self.what, self.waited_s = what, waited_s

    def __str__(self) -> str:
        return f"{self.what} did not happen within {self.waited_s:g} s"


class APIError(DagyError):
    """The Dagy API refused a request, or could not be reached (`status_code` 0).

    `code` and `hint` are the API's own when it sent them.
    """

    code = "api_error"

    def __init__(self, status_code: int, message: str, error_code: str | None = None, hint: str | None = None) -> None:
        super().__init__(status_code, message, error_code, hint)
        self.status_code, self.message, self.error_code, self.hint = status_code, message, error_code, hint

    def __str__(self) -> str:
        return f"APIError {self.status_code}: {self.message}"


class TokenExpiredError(Unauthenticated):
    """The stored token is past its expiry; it was not sent."""

    code = "token_expired"

    def __init__(self, expired_at: str, profile: str | None = None) -> None:
        command = f"dagy login --profile {profile}" if profile else "dagy login"
        super().__init__(f"Your token expired at {expired_at}", f"Sign in again: {command}")
        self.args = (expired_at, profile)
        self.expired_at, self.profile = expired_at, profile


class LoginFailed(Unauthenticated):
    """Signing in through the browser came to no good end; what was stored before is as it was."""

    code = "login_failed"

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(f"Login failed: {reason}", hint)
        self.args = (reason, hint)
        self.reason = reason


class KeyExpired(Unauthenticated):
    """The API key was good until its expiry. Said only to who holds it: anybody else learns that it is not valid."""

    code = "key_expired"

    def __init__(self, name: str, expired_at: str) -> None:
        super().__init__(
            f"The API key '{name}' expired at {expired_at}",
            "Ask an admin for a new one (dagy keys create), or mint one with AWS credentials (--via-aws).",
        )
        self.args = (name, expired_at)
        self.name, self.expired_at = name, expired_at


class InvalidSchedule(InvalidInput):
    """A schedule or its time zone cannot be honoured; nothing was written."""

    code = "invalid_schedule"


class ParameterTypeError(InvalidInput):
    """A parameter's value is not of the type its flow or task declares."""

    code = "parameter_type"

    def __init__(self, parameter: str, expected: str, got: str) -> None:
        super().__init__(f"Parameter '{parameter}' expects {expected}, got {got}")
        self.args = (parameter, expected, got)
        self.parameter, self.expected, self.got = parameter, expected, got


class UnknownParameter(InvalidInput):
    """A value was given for a parameter that the flow does not have."""

    code = "unknown_parameter"

    def __init__(self, parameter: str, known: tuple[str, ...]) -> None:
        names = ", ".join(known) if known else "none"
        super().__init__(f"Unknown parameter '{parameter}'", f"The flow's parameters: {names}")
        self.args = (parameter, known)
        self.parameter, self.known = parameter, known


class MissingParameter(InvalidInput):
    """A parameter without a default was given no value."""

    code = "missing_parameter"

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(f"Missing parameter '{parameter}' ({expected})", f"Add --param {parameter}=<value>")
        self.args = (parameter, expected)
        self.parameter, self.expected = parameter, expected


class FlowFileNotFound(NotFound, FileNotFoundError):
    """There is no file where the flow should be."""

    def __init__(self, path: str) -> None:
        super().__init__("flow file", path, "Give the path of a Python file, relative to here or absolute.")
        self.args = (path,)
        self.path = path


class FlowNotInFile(InvalidFlow, AttributeError):
    """The file was loaded, but has no flow of that name (or, with no name, none at all)."""

    code = "flow_not_in_file"

    def __init__(self, flow: str | None, path: str, hint: str | None = None) -> None:
        message = f"Flow '{flow}' not found in {path}" if flow else f"No flow found in {path}"
        super().__init__(message, hint)
        self.args = (flow, path, hint)
        self.flow, self.path = flow, path


class ModuleUnloadable(InvalidFlow, ImportError):
    """The flow's module could not be imported; the exception that stopped it is the cause."""

    code = "module_unloadable"

    def __init__(self, path: str, hint: str | None = None) -> None:
        super().__init__(f"Unable to load module from {path}", hint)
        self.args = (path, hint)
        self.file = path


class RetryConfigurationError(InvalidFlow):
    """A retry setting of a task or flow makes no sense (negative, wrong type, jitter outside 0–1)."""

    code = "retry_configuration"


class ArtifactInvalid(InvalidInput):
    """The file is not an artifact that can be trusted: damaged, hostile, or not one of ours."""

    code = "artifact_invalid"


class ArtifactNotFound(NotFound, FileNotFoundError):
    """There is no artifact where one should be."""

    def __init__(self, path: str) -> None:
        super().__init__("artifact", path, "Make one with: dagy build <path>:<flow_fn>")
        self.args = (path,)
        self.path = path


class ArtifactMismatch(InvalidInput):
    """The artifact is not the flow it was said to be."""

    code = "artifact_mismatch"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"Artifact flow spec mismatch. Expected {expected}, got {found}",
            "Leave out --flow-name and --flow-version, or deploy the artifact that they mean. "
            "A version written in @flow cannot be changed by a deploy.",
        )
        self.args = (expected, found)
        self.expected, self.found = expected, found


class LocalExecutionError(DagyError, RuntimeError):
    """A flow could not be executed to its end."""

    code = "execution_failed"


class DependencyCycleError(LocalExecutionError):
    """The tasks wait for each other, or for a task that does not exist; none of them can start."""

    code = "dependency_cycle"
    hint = "A task can wait for results of the same flow's tasks, of calls before its own."

    def __init__(self, task_run_ids: tuple[str, ...] = ()) -> None:
        super().__init__(task_run_ids)
        self.task_run_ids = task_run_ids

    def __str__(self) -> str:
        path = f": {' → '.join(self.task_run_ids)}" if self.task_run_ids else ""
        return f"Dependency cycle detected or missing dependency output{path}"


class TaskFailedError(LocalExecutionError):
    """A task failed for good: its retries, if any, are used up."""

    code = "task_failed"

    def __init__(self, task_name: str, message: str, task_run_id: str | None = None) -> None:
        super().__init__(task_name, message, task_run_id)
        self.task_name, self.message, self.task_run_id = task_name, message, task_run_id

    def __str__(self) -> str:
        return f"Task {self.task_name} failed: {self.message}"


class TaskTimeoutError(LocalExecutionError):
    """A task ran longer than its `timeout_seconds`. Its result, should it still come, is discarded."""

    code = "task_timeout"

    def __init__(self, timeout_s: float) -> None:
        super().__init__(timeout_s)
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"Task exceeded timeout of {self.timeout_s:g}s"


class ArtifactSerializationError(LocalExecutionError):
    """A task's result cannot be stored, or a stored one cannot be read."""

    code = "result_serialization"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class LocalRecordsError(LocalExecutionError):
    """The records of local runs cannot be read or written: a full disk, a read-only directory, a database that is held
    by another process for too long.
    """

    code = "local_records"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = "Local state is kept in DAGY_LOCAL_DIR, by default ~/.dagy."

    def __str__(self) -> str:
        return self.message
