"""`dagy flows`: what is registered in a stage."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dagy_cli.completing import files
from dagy_cli.lazy import Group
from dagy_cli.output import Output
from dagy_cli.params import pairs
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.core.spec import FlowSpec

MOST_TASKS = 100
TASK_COLUMNS = ["task_run_id", "task_name", "depends_on"]
COLUMNS = ["flow_name", "flow_version", "created_at", "updated_at", "artifact_s3_uri"]
flows = Group("flows", help="Flows registered in a stage.")


@flows.command("list", cls=Command)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Flows per request.")
@click.option("--max", "most", type=click.IntRange(1), help="Stop after so many.  [default: all]")
@click.option("--namespace", metavar="PATH", help="Only this namespace and what lies below it.")
@pass_session
def list_flows(session: Session, limit: int, most: int | None, namespace: str | None) -> None:
    """List all flow versions, page by page until the last.

    --limit says how many are asked for at once; it is no end of the list, --max is.

    \b
    Examples:
      dagy flows list
      dagy flows list --profile staging --namespace data/ingestion
      dagy flows list --format csv
    """
    found = session.client.iter_flows(page=limit, namespace=namespace)
    session.out.items((msgspec.to_builtins(flow) for flow in islice(found, most)), COLUMNS)


@flows.command("show", cls=Command)
@click.argument("flow", metavar="NAME[:VERSION]")
@pass_session
def show(session: Session, flow: str) -> None:
    """Show a flow version; without one, the version registered last.

    That is: its parameters, its tasks, and the artifact a run of it uses.

    \b
    Examples:
      dagy flows show daily_etl
      dagy flows show daily_etl:1.2.0 --json
    """
    name, _, version = flow.partition(":")
    client = session.client
    found = client.get_flow(name, version) if version else client.get_latest_flow(name)
    row = msgspec.to_builtins(found)
    parameters = ", ".join(f"{p['name']}: {p['type']}" for p in found.parameters) or "none"
    lines = [f"Flow: {found.flow_name}:{found.flow_version}"]
    lines += [f"Namespace: {found.namespace}"] if found.namespace else []
    lines += [f"Tags: {' '.join(f'{k}={v}' for k, v in found.tags.items())}"] if found.tags else []
    lines += [
        f"Parameters: {parameters}",
        f"Artifact: {found.artifact_s3_uri}",
        f"Registered: {found.created_at}  Updated: {found.updated_at}",
    ]
    lines += _tasks(session.out, found.flow_spec)
    session.out.item(row, text="\n".join(lines))


def _tasks(out: Output, spec: Mapping[str, Any]) -> list[str]:
    """Its task runs, each with those it waits for; of very many, the first."""
    rows = spec.get("task_runs", [])
    if not rows:
        return ["Tasks: none"]
    shown = [
        {"task_run_id": run["id"], "task_name": run["task_name"], "depends_on": ", ".join(run["depends_on"]) or "-"}
        for run in rows[:MOST_TASKS]
    ]
    more = [f"… {len(rows) - len(shown):,} more; --json gives all of them"] if len(rows) > len(shown) else []
    return [out.table(shown, TASK_COLUMNS), *more]


@flows.command("validate", cls=Command, short_help="Check a flow, an artifact or a flow spec, offline.")
@click.argument("target", metavar="PATH[:FLOW] | ARTIFACT.zip | SPEC.json", shell_complete=files)
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A build-time parameter. Repeatable.")
@pass_session
def validate_flow(session: Session, target: str, params: tuple[str, ...]) -> None:
    """Check a flow, an artifact or a flow spec, offline: is it one that a stage takes?

    Code is loaded and built, but nothing is written, uploaded or run. Found are cycles, references that lead nowhere,
    imports that are found nowhere, settings that no stage has. The exit code is 0; 7 for a flow that has to change; 5
    when there is no such file; 2 for a file that cannot be read.

    \b
    Examples:
      dagy flows validate pipelines/etl.py:daily_etl
      dagy flows validate dist/artifact.zip --json
    """
    from dagy_cli.validating import validate  # a lazy door: it builds, and reads as the API does

    found = validate(target, pairs("param", params))
    spec = found.spec
    for warning in found.warnings:
        session.out.warning(warning)
    facts = {
        "valid": True,
        "kind": found.kind,
        "name": spec.name,
        "version": spec.version,
        "tasks": len(spec.tasks),
        "task_runs": len(spec.task_runs),
        "edges": len(spec.edges),
        "warnings": list(found.warnings),
    }
    session.out.item(facts, text=f"Valid: {spec.name}:{spec.version} ({_counted(spec)})")


def _counted(spec: FlowSpec) -> str:
    tasks, runs = len(spec.tasks), len(spec.task_runs)
    told = f"{tasks} task" if tasks == 1 else f"{tasks} tasks"
    return told if tasks == runs else f"{told}, {runs} task runs"
