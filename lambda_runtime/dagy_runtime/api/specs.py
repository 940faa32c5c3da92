"""A flow spec that came in from outside: every field the engine later relies on is checked before it is stored."""

from __future__ import annotations

import re
from typing import Annotated, Any, Dict, Final, List, Literal, Optional

import msgspec

from dagy.core.errors import DependencyCycleError, InvalidFlow
from dagy.core.graph import topological_order
from dagy.core.names import checked_name
from dagy.core.offer import Offer
from dagy.core.sizes import Executor
from dagy.core.spec import FlowSpec

_TASK_RUN_ID: Final = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,119}"
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _Task(msgspec.Struct):
    name: str
    import_path: str
    description: Optional[str] = None
    default_executor: Optional[Executor] = None
    retries: _Count = 0
    retry_delay_seconds: Any = None
    timeout_seconds: Optional[Annotated[float, msgspec.Meta(gt=0)]] = None
    concurrency_limit: Optional[_Count] = None


class _TaskRun(msgspec.Struct):
    id: str
    task_name: str
    depends_on: List[str]
    args: List[Any]
    kwargs: Dict[str, Any]
    executor: Optional[Executor] = None


class _Parameter(msgspec.Struct):
    name: str
    kind: Literal["positional_or_keyword", "keyword_only"]
    type: str = "Any"
    schema: Dict[str, Any] = {}
    required: bool = True


class _Spec(msgspec.Struct):
    name: str
    version: str
    created_at: str
    tasks: Dict[str, _Task]
    task_runs: List[_TaskRun]
    edges: List[Annotated[List[str], msgspec.Meta(min_length=2, max_length=2)]]
    parameters: List[_Parameter]


def checked_spec(data: Any, offer: Offer) -> FlowSpec:
    """Fields that a newer Dagy may have added are ignored.

    Raises: InvalidFlow or InvalidInput naming what is wrong; for a cycle, its task runs.
    """
    try:
        shape = msgspec.convert(data, _Spec)
    except msgspec.ValidationError as error:
        raise InvalidFlow(f"The flow spec does not fit: {error}", "Build the artifact again: dagy build") from None
    spec = FlowSpec.from_dict(data)
    checked_name("flow name", spec.name)
    checked_name("flow version", spec.version)
    _check_tasks(shape)
    offer.check_spec(spec)
    try:
        topological_order(spec.task_runs)
    except DependencyCycleError as error:
        raise InvalidFlow(str(error)) from None
    names = [parameter.name for parameter in shape.parameters]
    if len(set(names)) < len(names):
        raise InvalidFlow("Two parameters of the flow have the same name")
    return spec


def _check_tasks(shape: _Spec) -> None:
    for name, task in shape.tasks.items():
        if task.name != name:
            raise InvalidFlow(f"Task '{name[:100]}' of the flow spec calls itself {task.name[:100]!r}")
        checked_name("task name", name)
    ids = {run.id for run in shape.task_runs}
    for run in shape.task_runs:
        if not re.fullmatch(_TASK_RUN_ID, run.id) or ".." in run.id:
            raise InvalidFlow(f"Invalid task run id {run.id[:120]!r}", "Ids are <task name>-<n>.")
    for source, target in shape.edges:
        if source not in ids or target not in ids:
            raise InvalidFlow(f"An edge of the flow spec leads nowhere: {source[:120]!r} → {target[:120]!r}")
