"""Dagy: Python flows in your own AWS account.

    from dagy import flow, task

Names are loaded when first used, so that `import dagy` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from dagy.version import VERSION as __version__

if TYPE_CHECKING:
    from dagy.artifact import LocalArtifact, build_artifact
    from dagy.authoring import Flow, Hook, RunContext, Task, flow, task
    from dagy.client.http import DagyClient
    from dagy.core.errors import (
        APIError,
        ArtifactInvalid,
        ArtifactMismatch,
        ArtifactSerializationError,
        Conflict,
        DagyError,
        DependencyCycleError,
        Forbidden,
        InvalidFlow,
        InvalidInput,
        LocalExecutionError,
        MissingParameter,
        NotFound,
        ParameterTypeError,
        RetryConfigurationError,
        RunFailed,
        TaskFailedError,
        TaskTimeoutError,
        TokenExpiredError,
        Unauthenticated,
        Unavailable,
        UnknownParameter,
        WaitTimedOut,
    )
    from dagy.core.refs import TaskOutput
    from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
    from dagy.core.states import State, completed, failed, running
    from dagy.deploy import deploy_artifact
    from dagy.local import LocalRunContext

_HOMES: Final = {
    "dagy.artifact": ("LocalArtifact", "build_artifact"),
    "dagy.authoring": ("Flow", "Hook", "RunContext", "Task", "flow", "task"),
    "dagy.client.http": ("DagyClient",),
    "dagy.core.refs": ("TaskOutput",),
    "dagy.core.spec": ("FlowSpec", "TaskRunSpec", "TaskSpec"),
    "dagy.core.states": ("State", "completed", "failed", "running"),
    "dagy.deploy": ("deploy_artifact",),
    "dagy.local": ("LocalRunContext",),
}
_ERRORS: Final = "dagy.core.errors"

__all__ = [
    "__version__",
    # writing flows
    "task",
    "flow",
    "Task",
    "Flow",
    "TaskOutput",
    "FlowSpec",
    "TaskSpec",
    "TaskRunSpec",
    # hooks
    "Hook",
    "RunContext",
    "State",
    "running",
    "completed",
    "failed",
    # running and deploying
    "LocalRunContext",
    "LocalArtifact",
    "build_artifact",
    "deploy_artifact",
    "DagyClient",
    # errors
    "DagyError",
    "APIError",
    "ArtifactInvalid",
    "ArtifactMismatch",
    "ArtifactSerializationError",
    "Conflict",
    "DependencyCycleError",
    "Forbidden",
    "InvalidFlow",
    "InvalidInput",
    "LocalExecutionError",
    "MissingParameter",
    "NotFound",
    "ParameterTypeError",
    "RetryConfigurationError",
    "RunFailed",
    "TaskFailedError",
    "TaskTimeoutError",
    "TokenExpiredError",
    "Unauthenticated",
    "Unavailable",
    "UnknownParameter",
    "WaitTimedOut",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dagy' has no attribute '{name}'")
    home = next((module for module, names in _HOMES.items() if name in names), _ERRORS)
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
