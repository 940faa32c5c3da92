"""The two tables of `dagy.duckdb`: their columns, records as columns of values, and rows as records.

Column names are a contract with whoever queries the file. Columns may be added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def run_columns(runs: Sequence[LocalRun]) -> dict[str, list[Any]]:
    return {
        "id": [run.id for run in runs],
        "flow_name": [run.flow_name for run in runs],
        "flow_version": [run.flow_version for run in runs],
        "status": [run.status.value for run in runs],
        "started_at": [_without_zone(run.started_at) for run in runs],
        "ended_at": [_without_zone(run.ended_at) for run in runs],
        "duration_s": [run.duration_s for run in runs],
        "parameters": [json.dumps(run.parameters) for run in runs],
        "fail_fast": [run.fail_fast for run in runs],
        "max_workers": [run.max_workers for run in runs],
        "task_counts": [json.dumps(run.task_counts) for run in runs],
        "error_type": [run.error_type for run in runs],
        "message": [run.message for run in runs],
        "traceback": [run.traceback for run in runs],
        **_result_columns([run.result for run in runs]),
    }


def task_columns(tasks: Sequence[LocalTaskRun]) -> dict[str, list[Any]]:
    return {
        "run_id": [task.run_id for task in tasks],
        "id": [task.id for task in tasks],
        "task_name": [task.task_name for task in tasks],
        "position": [task.position for task in tasks],
        "depends_on": [list(task.depends_on) for task in tasks],
        "status": [task.status.value for task in tasks],
        "attempt": [task.attempt for task in tasks],
        "started_at": [_without_zone(task.started_at) for task in tasks],
        "ended_at": [_without_zone(task.ended_at) for task in tasks],
        "duration_s": [task.duration_s for task in tasks],
        "cpu_s": [task.cpu_s for task in tasks],
        "peak_mib": [task.peak_mib for task in tasks],
        "error_type": [task.error_type for task in tasks],
        "message": [task.message for task in tasks],
        "traceback": [task.traceback for task in tasks],
        **_result_columns([task.result for task in tasks]),
    }


def _result_columns(results: Sequence[StoredResult | None]) -> dict[str, list[Any]]:
    return {
        "codec": [result and result.codec for result in results],
        "size_bytes": [result and result.size_bytes for result in results],
        "sha256": [result and result.sha256 for result in results],
        "artifact": [result and result.path for result in results],
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
    return at and at[:-1]  # the Z
