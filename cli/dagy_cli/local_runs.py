"""The runs recorded on this machine, with the field names of the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from dagy.core.errors import NotFound
from dagy.core.states import Status
from dagy.local.paths import local_dir
from dagy_cli.run_sources import SHORTEST_PREFIX, Result, Row, Wanted, not_found

if TYPE_CHECKING:
    from dagy.local import LocalRecords
    from dagy.local.history import LocalRun, LocalTaskRun, StoredResult

PAUSE_S = 0.3
SMALL_BYTES = 32 * 1024


class LocalRuns:
    """The records under `DAGY_LOCAL_DIR`. They are opened for each question and closed after it, because the runs of
    other processes write there too.
    """

    is_remote = False

    def list(self, wanted: Wanted) -> Iterator[Row]:
        with _records() as records:
            status = Status(wanted.status) if wanted.status else None
            found = records.list_runs(limit=wanted.most, status=status, flow=wanted.flow)
        return (run_row(run) for run in found)

    def find(self, run_id: str) -> str | None:
        with _records() as records:
            if records.get_run(run_id) is not None:
                return run_id
            if len(run_id) < SHORTEST_PREFIX:
                return None
            found = records.find_run(run_id)
        return found.id if found else None

    def latest(self) -> str | None:
        with _records() as records:
            found = records.latest_run()
        return found.id if found else None

    def show(self, run_id: str) -> Row:
        with _records() as records:
            run = records.get_run(run_id)
            if run is None:
                raise not_found(run_id)
            tasks = records.task_runs(run_id)
        return {**run_row(run), "tasks": [task_row(task) for task in tasks]}

    def result(self, run_id: str, task_run_id: str | None) -> Result:
        with _records() as records:
            owner: LocalRun | LocalTaskRun | None = records.get_run(run_id)
            if task_run_id is not None:
                owner = next((task for task in records.task_runs(run_id) if task.id == task_run_id), None)
        if owner is None:
            raise NotFound("task run", f"{task_run_id} of {run_id}", f"See: dagy runs show {run_id}")
        if owner.result is None:
            raise NotFound("result", task_run_id or run_id, f"It is {owner.status}.")
        return _result(owner.result)

    def log(self, run_id: str, task_run_id: str | None, *, is_followed: bool) -> Iterator[Row]:
        with _records() as records:
            path = records.log_path(run_id, task_run_id)
        if not path.is_file():
            raise NotFound("log", str(path))
        with path.open(encoding="utf-8", errors="replace") as file:
            while True:
                is_over = not is_followed or self._is_over(run_id)  # before the rest is read
                for line in file:
                    text = line.rstrip("\n")
                    yield {"at": None, "task_run_id": task_run_id, "stream": None, "line": text, "text": text}
                if is_over:
                    return
                time.sleep(PAUSE_S)

    def _is_over(self, run_id: str) -> bool:
        with _records() as records:
            run = records.get_run(run_id)
        return run is None or run.status.is_final


def local_runs() -> LocalRuns:
    return LocalRuns()


def local_run_row(run_id: str) -> Row:
    """One run without its tasks. Raises: NotFound."""
    with _records() as records:
        run = records.get_run(run_id)
    if run is None:
        raise not_found(run_id)
    return run_row(run)


def run_row(run: LocalRun) -> Row:
    return {
        "run_id": run.id,
        "status": run.status.value,
        "flow_name": run.flow_name,
        "flow_version": run.flow_version,
        "parameters": run.parameters,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "duration_s": run.duration_s,
        "error": _error(run),
        "result": _small_result(run.result),
    }


def task_row(task: LocalTaskRun) -> Row:
    return {
        "task_run_id": task.id,
        "task_name": task.task_name,
        "status": task.status.value,
        "attempt": task.attempt,
        "depends_on": list(task.depends_on),
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "duration_s": task.duration_s,
        "cpu_s": task.cpu_s,
        "peak_mib": task.peak_mib,
        "error": _error(task),
        "result": _small_result(task.result),
    }


def _error(owner: LocalRun | LocalTaskRun) -> Row | None:
    if owner.error_type is None:
        return None
    return {"error_type": owner.error_type, "message": owner.message or "", "traceback": owner.traceback or ""}


def _small_result(stored: StoredResult | None) -> Any:
    """The value, when it is JSON of at most 32 KiB, as the API gives it."""
    if stored is None or stored.size_bytes > SMALL_BYTES:
        return None
    shown = _result(stored).json
    return None if shown is None else msgspec.json.decode(shown)


def _result(stored: StoredResult) -> Result:
    from dagy.results import JSON, JSON_TAGGED, Encoded, readable  # a lazy door: the codecs

    path = local_dir() / stored.path

    def data() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFound("stored result", str(path)) from error

    if stored.codec not in (JSON, JSON_TAGGED):
        return Result(stored.codec, None, data)
    return Result(stored.codec, msgspec.json.encode(readable(Encoded(stored.codec, data(), stored.sha256))), data)


def _records() -> LocalRecords:
    from dagy.local import LocalRecords  # a lazy door: DuckDB

    return LocalRecords()
