"""A run as people read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
TASK_COLUMNS = ["task_run_id", "task_name", "status", "attempt", "duration_s", "peak_mib"]


def run_text(run: Row, table: Callable[[Sequence[Row], Sequence[str]], str]) -> str:
    """The run, its tasks, and why it failed."""
    lines = [
        f"Run: {run['run_id']} status={run['status']} flow={run['flow_name']}:{run['flow_version']}",
        f"Start: {run.get('started_at') or '-'} End: {run.get('ended_at') or '-'}",
    ]
    if run.get("deployment"):
        mode = f"{run['execution_mode']}, {run['isolation']}"
        lines.append(f"Deployment: {run['deployment']} ({mode}) trigger={run['trigger']}")
    if run.get("parameters"):
        lines.append("Parameters: " + " ".join(f"{key}={value}" for key, value in run["parameters"].items()))
    if run.get("tasks"):
        lines.append(table(run["tasks"], TASK_COLUMNS))
    if run.get("error"):
        lines.append(error_text(run["error"]["error_type"], run["error"]["message"]))
    if run.get("result") is not None:
        lines.append(f"Result: {_short(run['result'])}")
    elif run.get("result_codec") is not None and not _is_null(run):
        size = f"{run['result_size_bytes']:,} bytes"
        lines.append(f"Result: {run['result_codec']}, {size} (dagy runs result {run['run_id']})")
    return "\n".join(lines)


def error_text(error_type: str, message: str) -> str:
    """`ValueError: no rows`; a message that names its type already does so once."""
    return message if message.partition(":")[0].lower() == error_type.lower() else f"{error_type}: {message}"


def _is_null(run: Row) -> bool:
    return (run["result_codec"], run["result_size_bytes"]) == ("json", len("null"))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 500 else f"{text[:500]}… (dagy runs result shows all)"


def shortened(data: Any) -> Any:
    """Data of an event for a cell of a table."""
    text = json.dumps(data, ensure_ascii=False, default=str)
    return data if len(text) <= 200 else f"{text[:200]}…"
