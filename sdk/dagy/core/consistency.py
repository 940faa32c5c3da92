"""Whether a flow spec agrees with itself beyond what reading it checks: an artifact or a file may be anybody's work."""

from __future__ import annotations

from collections.abc import Iterator

from dagy.core.errors import InvalidFlow
from dagy.core.refs import refs_in_json
from dagy.core.spec import FlowSpec, TaskRunSpec


def check_references(spec: FlowSpec) -> None:
    """Every result that is used is awaited and exists, every edge is a dependency, every parameter is declared.

    Raises: InvalidFlow naming the first that does not hold.
    """
    for problem in _problems(spec):
        raise InvalidFlow(problem, "Build it again from its code: dagy build <path>:<flow_fn>")


def _problems(spec: FlowSpec) -> Iterator[str]:
    ids = {run.id for run in spec.task_runs}
    for run in spec.task_runs:
        yield from _problems_of(run, ids)
    for id in refs_in_json(spec.outputs):
        if id not in ids:
            yield f"The flow returns the result of '{id}', which the flow spec lacks"
    edges = {tuple(edge) for edge in spec.edges}
    awaited = {(parent, run.id) for run in spec.task_runs for parent in run.depends_on}
    for source, target in sorted(edges ^ awaited):
        has, lacks = ("an edge", "no dependency") if (source, target) in edges else ("a dependency", "no edge")
        yield f"The flow spec has {has} from '{source}' to '{target}', and {lacks}"
    declared = {str(parameter.get("name")) for parameter in spec.parameters if isinstance(parameter, dict)}
    for name in _parameters_in([[run.args, run.kwargs] for run in spec.task_runs] + [[spec.outputs]]):
        if name not in declared:
            yield f"The flow spec uses the parameter '{name}', which it does not declare"


def _problems_of(run: TaskRunSpec, ids: set[str]) -> Iterator[str]:
    for id in refs_in_json([run.args, run.kwargs]):
        if id not in ids:
            yield f"Task run '{run.id}' is given the result of '{id}', which the flow spec lacks"
        elif id not in run.depends_on:
            yield f"Task run '{run.id}' is given the result of '{id}' and does not wait for it"


def _parameters_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"$param"}:
            yield str(value["$param"])
            return
        for item in value.values():
            yield from _parameters_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _parameters_in(item)
