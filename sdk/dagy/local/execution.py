"""What the journal says when a run begins or goes on: by whom, with which tasks, arguments and code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagy.artifact.task_code import task_codes
from dagy.authoring.source import file_of
from dagy.core.errors import ArtifactSerializationError
from dagy.core.refs import to_json
from dagy.core.task_code import TaskCode
from dagy.execution.recorder import RunOptions
from dagy.local import events as ev
from dagy.local.arguments import argument_texts
from dagy.local.keeping import Keeping, KnownTask
from dagy.results import encode

if TYPE_CHECKING:
    from dagy.authoring import TracedFlow


@dataclass(frozen=True, slots=True)
class Execution:
    """What a resumed run needs to know of the execution before it."""

    flow_version: str
    options: RunOptions
    tasks: list[ev.PlannedTask]
    target: str
    code: Mapping[str, TaskCode]

    @property
    def known(self) -> dict[str, KnownTask]:
        return known_tasks(self.tasks, self.code)


def execution_of(traced: TracedFlow, options: RunOptions) -> Execution:
    calls = traced.calls.values()
    planned = [
        ev.PlannedTask(call.id, call.task.name, list(call.depends_on), arguments)
        for call, arguments in zip(calls, argument_texts(calls), strict=True)
    ]
    return Execution(traced.version, options, planned, _target(traced), task_codes(traced.tasks.values()))


def known_tasks(tasks: list[ev.PlannedTask], code: Mapping[str, TaskCode]) -> dict[str, KnownTask]:
    return {
        task.id: KnownTask(task.task_name, tuple(task.depends_on), task.arguments, code.get(task.task_name))
        for task in tasks
    }


def run_started(run_id: str, traced: TracedFlow, execution: Execution, *, at_s: float) -> ev.RunStarted:
    parameters = dict(traced.parameters)
    return ev.RunStarted(
        at=at_s,
        run_id=run_id,
        flow_name=traced.flow.name,
        parameters=to_json(parameters),
        given=_stored(parameters),
        **_common(execution),
    )


def run_resumed(execution: Execution, keeping: Keeping, *, at_s: float) -> ev.RunResumed:
    return ev.RunResumed(at=at_s, kept=keeping.kept, again=keeping.again, **_common(execution))


def _common(execution: Execution) -> dict[str, Any]:
    return {
        "flow_version": execution.flow_version,
        "fail_fast": execution.options.fail_fast,
        "max_workers": execution.options.max_workers,
        "tasks": execution.tasks,
        "pid": os.getpid(),
        "target": execution.target,
        "code": execution.code,
    }


def _stored(parameters: dict[str, Any]) -> ev.StoredValue | None:
    """A run whose parameters cannot be stored cannot be resumed."""
    try:
        encoded = encode(parameters)
    except ArtifactSerializationError:
        return None
    return ev.StoredValue(encoded.codec, encoded.data, encoded.sha256)


def _target(traced: TracedFlow) -> str:
    file = file_of(traced.flow.fn)
    return f"{file}:{traced.flow.name}" if file else ""
