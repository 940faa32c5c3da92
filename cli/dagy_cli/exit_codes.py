"""What the exit code of `dagy` says, and the one place that turns errors into it."""

from __future__ import annotations

from enum import IntEnum

from dagy.core.errors import (
    APIError,
    Conflict,
    DagyError,
    DependencyCycleError,
    Forbidden,
    InvalidFlow,
    InvalidInput,
    LocalExecutionError,
    NotFound,
    RunFailed,
    Unauthenticated,
    Unavailable,
    WaitTimedOut,
)


class ExitCode(IntEnum):
    """Scripts build on these: a number never changes its meaning."""

    OK = 0
    ERROR = 1
    USAGE = 2
    AUTHENTICATION = 3
    NETWORK = 4
    NOT_FOUND = 5
    CONFLICT = 6
    INVALID_FLOW = 7
    RUN_FAILED = 8
    WAIT_TIMED_OUT = 9
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "It worked.",
    ExitCode.ERROR: "Something went wrong that no other code names.",
    ExitCode.USAGE: "The command line, a file or a value given cannot be meant.",
    ExitCode.AUTHENTICATION: "Not signed in, an expired or refused token, or a role that may not do this.",
    ExitCode.NETWORK: "The API or AWS did not answer, or is too busy. Trying again may help.",
    ExitCode.NOT_FOUND: "There is no such flow, deployment, run, file or stage.",
    ExitCode.CONFLICT: "Somebody else changed it, or it is in a state that does not allow this.",
    ExitCode.INVALID_FLOW: "The flow itself is wrong: its code must change.",
    ExitCode.RUN_FAILED: "The run came to an end, and not to a good one.",
    ExitCode.WAIT_TIMED_OUT: "What was waited for did not happen in the time given. It may still happen.",
    ExitCode.INTERRUPTED: "Ctrl+C.",
}

# The first match counts; the order only matters where one class is a kind of another.
_BY_KIND: tuple[tuple[type[DagyError], ExitCode], ...] = (
    (InvalidFlow, ExitCode.INVALID_FLOW),
    (DependencyCycleError, ExitCode.INVALID_FLOW),
    (InvalidInput, ExitCode.USAGE),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (Unauthenticated, ExitCode.AUTHENTICATION),
    (Forbidden, ExitCode.AUTHENTICATION),
    (Unavailable, ExitCode.NETWORK),
    (RunFailed, ExitCode.RUN_FAILED),
    (LocalExecutionError, ExitCode.RUN_FAILED),
    (WaitTimedOut, ExitCode.WAIT_TIMED_OUT),
)

_BY_STATUS = {
    0: ExitCode.NETWORK,
    400: ExitCode.USAGE,
    401: ExitCode.AUTHENTICATION,
    403: ExitCode.AUTHENTICATION,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    413: ExitCode.USAGE,
    422: ExitCode.USAGE,
    429: ExitCode.NETWORK,
    502: ExitCode.NETWORK,
    503: ExitCode.NETWORK,
    504: ExitCode.NETWORK,
}


def exit_code_of(error: DagyError) -> ExitCode:
    if isinstance(error, APIError):
        if error.error_code == InvalidFlow.code:
            return ExitCode.INVALID_FLOW
        return _BY_STATUS.get(error.status_code, ExitCode.ERROR)
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), ExitCode.ERROR)
