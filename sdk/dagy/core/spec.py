"""A flow as a plain value: which tasks it has, which of their runs it wants, and what waits for what.

`FlowSpec` is what tracing produces, what an artifact carries as `flow_spec.json`, what the API stores and
shows, and what the engine plans with. It holds JSON data only. Its field names are a contract with everyone who
reads artifacts or the API.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from dagy.core.errors import InvalidFlow

DEFAULT_VERSION: Final = "latest"


@dataclass(frozen=True)
class TaskSpec:
    """A task as declared. `import_path` is `module:function`; `retry_delay_seconds` is a number, a list of numbers, or
    `{"$callable": "module:name"}`."""

    name: str
    import_path: str
    description: str | None = None
    default_executor: str | None = None
    retries: int = 0
    retry_delay_seconds: Any | None = None
    timeout_seconds: float | None = None
    concurrency_limit: int | None = None


@dataclass(frozen=True)
class TaskRunSpec:
    """One call of a task in a flow. `args` and `kwargs` are serialised as `dagy.core.refs` describes;
    `depends_on` holds the ids of the task runs they refer to, each once, in reading order.
    """

    id: str
    task_name: str
    depends_on: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    executor: str | None = None


@dataclass(frozen=True)
class FlowSpec:
    """The plan of a flow.

    `created_at` is ISO 8601, UTC, ending in `Z`. `edges` are `[source, target]` pairs of task run ids. `outputs`
    is the serialised return value of the flow function. `parameters` are in the order declared, each
    `{"name", "type", "schema", "required", "default"?, "kind"}`: `type` as a person writes it, `schema` a JSON
    schema, `kind` one of `positional_or_keyword`, `keyword_only`.
    """

    name: str
    version: str = DEFAULT_VERSION
    created_at: str = ""
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    task_runs: list[TaskRunSpec] = field(default_factory=list)
    edges: list[list[str]] = field(default_factory=list)
    outputs: Any = None
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def with_version(self, version: str) -> FlowSpec:
        return replace(self, version=version)

    @classmethod
    def from_dict(cls, data: Any) -> FlowSpec:
        """Read a spec somebody else wrote. Unknown fields are ignored: a newer Dagy may have written them.

        Raises: InvalidFlow naming the field, when one is missing or of the wrong type, or a reference leads nowhere.
        """
        spec = cls(
            name=_get(data, "flow spec", "name", str),
            version=_get(data, "flow spec", "version", str),
            created_at=_get(data, "flow spec", "created_at", str),
            tasks={name: _task(task) for name, task in _get(data, "flow spec", "tasks", dict).items()},
            task_runs=[_task_run(run) for run in _get(data, "flow spec", "task_runs", list)],
            edges=_get(data, "flow spec", "edges", list),
            outputs=data.get("outputs"),
            parameters=_get(data, "flow spec", "parameters", list),
        )
        _check(spec)
        return spec


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, non-ASCII as it is. Equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def code_hash(spec: FlowSpec, source_hash: str) -> str:
    """SHA-256, hex, of what a flow does: its plan and its source. Equal hashes mean there is nothing to deploy.

    `created_at` says when, not what, so it stays out. Source: the formula in "Code hash" of the documentation
    on versions.
    """
    plan = {key: value for key, value in spec.to_dict().items() if key != "created_at"}
    return hashlib.sha256(f"{canonical_json(plan)}|{source_hash}".encode()).hexdigest()


def _task(data: Any) -> TaskSpec:
    return TaskSpec(
        name=_get(data, "task", "name", str),
        import_path=_get(data, "task", "import_path", str),
        description=data.get("description"),
        default_executor=data.get("default_executor"),
        retries=_get(data, "task", "retries", int),
        retry_delay_seconds=data.get("retry_delay_seconds"),
        timeout_seconds=data.get("timeout_seconds"),
        concurrency_limit=data.get("concurrency_limit"),
    )


def _task_run(data: Any) -> TaskRunSpec:
    return TaskRunSpec(
        id=_get(data, "task run", "id", str),
        task_name=_get(data, "task run", "task_name", str),
        depends_on=_get(data, "task run", "depends_on", list),
        args=_get(data, "task run", "args", list),
        kwargs=_get(data, "task run", "kwargs", dict),
        executor=data.get("executor"),
    )


def _get(data: Any, what: str, key: str, kind: type) -> Any:
    if not isinstance(data, dict):
        raise InvalidFlow(f"A {what} must be a JSON object, got {type(data).__name__}")
    if key not in data:
        raise InvalidFlow(f"The {what} has no '{key}'")
    if not isinstance(data[key], kind):
        raise InvalidFlow(f"'{key}' of the {what} must be a {kind.__name__}, got {type(data[key]).__name__}")
    return data[key]


def _check(spec: FlowSpec) -> None:
    ids = {run.id for run in spec.task_runs}
    if len(ids) != len(spec.task_runs):
        raise InvalidFlow("Two task runs of the flow spec have the same id")
    for run in spec.task_runs:
        if run.task_name not in spec.tasks:
            raise InvalidFlow(f"Task run '{run.id}' is of task '{run.task_name}', which the flow spec lacks")
        for parent in run.depends_on:
            if parent not in ids:
                raise InvalidFlow(f"Task run '{run.id}' depends on '{parent}', which the flow spec lacks")
