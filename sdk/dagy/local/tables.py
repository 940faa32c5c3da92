"""The two tables of `dagy.duckdb`: their columns, and records as rows of them.

Column names are a contract with whoever queries the file. Columns may be added.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dagy.core.states import Status
from dagy.local.history import LocalRun, LocalTaskRun, StoredResult

RUN_COLUMNS: Final = {
    "id": "TEXT",
    "flow_name": "TEXT",
    "flow_version": "TEXT",
    "status": "TEXT",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "duration_s": "DOUBLE",
    "parameters": "TEXT",
    "fail_fast": "BOOLEAN",
    "max_workers": "INTEGER",
    "task_counts": "TEXT",
    "error_type": "TEXT",
    "message": "TEXT",
    "traceback": "TEXT",
    "codec": "TEXT",
    "size_bytes": "BIGINT",
    "sha256": "TEXT",
    "artifact": "TEXT",
}
TASK_COLUMNS: Final = {
    "run_id": "TEXT",
    "id": "TEXT",
    "task_name": "TEXT",
    "position": "INTEGER",
    "depends_on": "TEXT[]",
    "status": "TEXT",
    "attempt": "INTEGER",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "duration_s": "DOUBLE",
    "cpu_s": "DOUBLE",
    "peak_mib": "DOUBLE",
    "error_type": "TEXT",
    "message": "TEXT",
    "traceback": "TEXT",
    "codec": "TEXT",
    "size_bytes": "BIGINT",
    "sha256": "TEXT",
    "artifact": "TEXT",
}


def run_row(run: LocalRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "flow_name": run.flow_name,
        "flow_version": run.flow_version,
        "status": run.status.value,
        "started_at": _without_zone(run.started_at),
        "ended_at": _without_zone(run.ended_at),
        "duration_s": run.duration_s,
        "parameters": json.dumps(run.parameters),
        "fail_fast": run.fail_fast,
        "max_workers": run.max_workers,
        "task_counts": json.dumps(run.task_counts),
        "error_type": run.error_type,
        "message": run.message,
        "traceback": run.traceback,
        **_result_row(run.result),
    }


def task_row(task: LocalTaskRun) -> dict[str, Any]:
    return {
        "run_id": task.run_id,
        "id": task.id,
        "task_name": task.task_name,
        "position": task.position,
        "depends_on": list(task.depends_on),
        "status": task.status.value,
        "attempt": task.attempt,
        "started_at": _without_zone(task.started_at),
        "ended_at": _without_zone(task.ended_at),
        "duration_s": task.duration_s,
        "cpu_s": task.cpu_s,
        "peak_mib": task.peak_mib,
        "error_type": task.error_type,
        "message": task.message,
        "traceback": task.traceback,
        **_result_row(task.result),
    }


def _result_row(result: StoredResult | None) -> dict[str, Any]:
    return {
        "codec": result and result.codec,
        "size_bytes": result and result.size_bytes,
        "sha256": result and result.sha256,
        "artifact": result and result.path,
    }


def run_of(row: dict[str, Any]) -> LocalRun:
    result = _take_result(row)
    row |= {"status": Status(row["status"])} | {key: json.loads(row[key]) for key in ("parameters", "task_counts")}
    return LocalRun(**row, result=result)


def task_of(row: dict[str, Any]) -> LocalTaskRun:
    result = _take_result(row)
    row |= {"status": Status(row["status"]), "depends_on": tuple(row["depends_on"])}
    return LocalTaskRun(**row, result=result)


def _take_result(row: dict[str, Any]) -> StoredResult | None:
    codec, size_bytes, sha256, path = (row.pop(key) for key in ("codec", "size_bytes", "sha256", "artifact"))
    return None if codec is None else StoredResult(codec, size_bytes, sha256, path)


def _without_zone(at: str | None) -> str | None:
    return at and at.removesuffix("Z")
