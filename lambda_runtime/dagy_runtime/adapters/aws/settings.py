"""What a function, or a container, of a stage is told by its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.sizes import Size

ITSELF: Final = "itself"
NOTHING: Final = "nothing"


class Functions(Struct, frozen=True):
    """Names or ARNs of the stage's functions. `control` is None in functions that never call it, the runtimes first."""

    runtimes: Mapping[Size, str]
    control: str | None

    def runtime(self, size: Size) -> str:
        """Raises: NotFound in a runtime function, or a container, that is asked for another size than its own."""
        if size not in self.runtimes:
            raise NotFound("runtime function of size", size, f"Known here: {', '.join(self.runtimes) or 'none'}")
        return self.runtimes[size]

    def control_function(self) -> str:
        """Raises: NotFound in a runtime function."""
        if self.control is None:
            raise NotFound("function", "control", "Runtime functions do not know it: it knows them.")
        return self.control


class SchedulerSettings(Struct, frozen=True):
    """Where schedules are kept, what they call, and the role they call it with."""

    group: str
    role_arn: str
    target_arn: str


class Settings(Struct, frozen=True):
    table: str
    bucket: str
    functions: Functions
    timer_state_machine: str  # empty where nothing is ever sent
    task_state_machine: str  # empty where no task is released
    container_state_machine: str  # empty there, too, and where the stage has no containers
    scheduler: SchedulerSettings | None  # only functions that change schedules have it


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises: InvalidInput naming every variable that is missing, not only the first."""
    is_runtime = "DAGY_SIZE" in environ
    needed = ["DAGY_TABLE", "DAGY_BUCKET"]
    if environ.get("DAGY_SENDS") != NOTHING:
        needed += ["DAGY_TIMER_STATE_MACHINE"]
        needed += (
            [_own_name(environ), "DAGY_TASK_STATE_MACHINE"]
            if is_runtime
            else ["DAGY_RUNTIMES", "DAGY_CONTROL_FUNCTION"]
        )
    scheduling = ["DAGY_SCHEDULE_GROUP", "DAGY_SCHEDULE_ROLE", "DAGY_CONTROL_FUNCTION_ARN"]
    has_scheduler = not is_runtime and bool(environ.get("DAGY_SCHEDULE_GROUP") or environ.get("DAGY_SCHEDULE_ROLE"))
    missing = [name for name in needed + (scheduling if has_scheduler else []) if not environ.get(name)]
    if missing:
        raise InvalidInput(
            f"Missing in the environment: {', '.join(missing)}", "The stage's stacks set them on its functions."
        )
    return Settings(
        table=environ["DAGY_TABLE"],
        bucket=environ["DAGY_BUCKET"],
        functions=Functions(_runtimes(environ), _control(environ)),
        timer_state_machine=environ.get("DAGY_TIMER_STATE_MACHINE", ""),
        task_state_machine=environ.get("DAGY_TASK_STATE_MACHINE", ""),
        container_state_machine=environ.get("DAGY_CONTAINER_STATE_MACHINE", ""),
        scheduler=SchedulerSettings(*(environ[name] for name in scheduling)) if has_scheduler else None,
    )


def _control(environ: Mapping[str, str]) -> str | None:
    """The control function is told `itself`: a function's environment cannot hold its own name."""
    control = environ.get("DAGY_CONTROL_FUNCTION")
    return environ.get("AWS_LAMBDA_FUNCTION_NAME") if control == ITSELF else control


def _own_name(environ: Mapping[str, str]) -> str:
    """Where a runtime function finds its own name, and a container that of the function of its size."""
    return "DAGY_RUNTIME_FUNCTION" if "DAGY_RUNTIME_FUNCTION" in environ else "AWS_LAMBDA_FUNCTION_NAME"


def _runtimes(environ: Mapping[str, str]) -> dict[Size, str]:
    """A runtime function knows only itself: naming the others would be a cycle in its stack."""
    if "DAGY_SIZE" in environ:
        return {Size(environ["DAGY_SIZE"]): environ[_own_name(environ)]}
    try:
        return {Size(size): function for size, function in json.loads(environ.get("DAGY_RUNTIMES", "{}")).items()}
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"DAGY_RUNTIMES is not a JSON object of sizes and functions: {error}") from error
