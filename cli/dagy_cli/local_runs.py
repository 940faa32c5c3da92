"""The runs recorded on this machine, with the field names of the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from dagy.core.errors import ArtifactSerializationError, NotFound
from dagy_cli.run_sources import Result, Row, Wanted, as_json

if TYPE_CHECKING:
    from dagy.local import LocalRecords, LocalRun, LocalTaskRun, StoredResult

PAUSE_S = 0.3
SMALL_BYTES = 32 * 1024


class LocalRuns:
    """The records under `DAGY_LOCAL_DIR`. They are opened for each question and closed after it, because the runs of
    other processes write there too.
    """

    is_remote = False

    def list(self, wanted: Wanted) -> Iterator[Row]:
        with _records() as records:
            found = records.list_runs(
                limit=wanted.most,
                status=wanted.statuses or None,
                flow=wanted.flow,
                after=wanted.after,
                before=wanted.before,
            )
        return (run_row(run) for run in found)

    def find(self, run_id: str) -> str | None:
        with _records() as records:
            try:
                return records.find_run(run_id).id
            except NotFound:
                return None

    def latest(self) -> str | None:
        with _records() as records:
            found = records.latest_run()
        return found.id if found else None

    def show(self, run_id: str) -> Row:
        with _records() as records:
            run, tasks = records.get_run(run_id), records.task_runs(run_id)
            return {
                **run_row(run),
                **_result(records, run.result, run_id),
                "tasks": [{**task_row(t), **_result(records, t.result, run_id, t.id)} for t in tasks],
            }

    def result(self, run_id: str, task_run_id: str | None) -> Result:
        with _records() as records:
            stored = records.stored_result(run_id, task_run_id)
        if stored is None:
            raise NotFound("result", f"of {task_run_id or run_id}", f"See: dagy runs show {run_id}")
        shown = as_json(stored.codec, lambda: stored.data, stored.sha256)
        return Result(stored.codec, stored.size_bytes, shown, lambda: stored.data)

    def events(self, run_id: str) -> Iterator[Row]:
        """Runs of this machine keep none."""
        return iter(())

    def log(self, run_id: str, task_run_id: str | None, *, is_followed: bool) -> Iterator[Row]:
        """A task that has written nothing has an empty log; one that the run does not have is not found."""
        with _records() as records:
            path = records.log_path(run_id, task_run_id)
            if task_run_id is not None and task_run_id not in {task.id for task in records.task_runs(run_id)}:
                raise NotFound("log", str(path), f"The run's tasks: dagy runs show {run_id}")
        position = 0
        while True:
            is_over = not is_followed or self._is_over(run_id)  # before the rest is read
            if path.is_file():
                with path.open(encoding="utf-8", errors="replace") as file:
                    file.seek(position)
                    while (line := file.readline()).endswith("\n") or (line and is_over):
                        text = line.rstrip("\n")
                        yield {"at": None, "task_run_id": task_run_id, "stream": None, "line": text, "text": text}
                        position = file.tell()
            if is_over:
                return
            time.sleep(PAUSE_S)

    def _is_over(self, run_id: str) -> bool:
        with _records() as records:
            return records.get_run(run_id).status.is_final


def local_runs() -> LocalRuns:
    return LocalRuns()


def run_row(run: LocalRun) -> Row:
    return {
        "run_id": run.id,
        "status": run.status.value,
        "flow_name": run.flow_name,
        "flow_version": run.flow_version,
        "parameters": run.parameters,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "duration_s": rounded(run.duration_s, 6),
        "error": _error(run),
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
        "duration_s": rounded(task.duration_s, 6),
        "cpu_s": rounded(task.cpu_s, 6),
        "peak_mib": rounded(task.peak_mib, 1),
        "error": _error(task),
    }


def rounded(value: float | None, digits: int) -> float | None:
    """Microseconds and tenths of a MiB: what is beyond them was never measured."""
    return None if value is None else round(value, digits)


def _error(owner: LocalRun | LocalTaskRun) -> Row | None:
    if owner.error_type is None:
        return None
    return {"error_type": owner.error_type, "message": owner.message or "", "traceback": owner.traceback or ""}


def _result(records: LocalRecords, stored: StoredResult | None, run_id: str, task_run_id: str | None = None) -> Row:
    return {
        "result": _small_value(records, stored, run_id, task_run_id),
        "result_codec": stored.codec if stored else None,
        "result_size_bytes": stored.size_bytes if stored else None,
    }


def _small_value(
    records: LocalRecords, stored: StoredResult | None, run_id: str, task_run_id: str | None = None
) -> Any:
    """The value, when it is JSON of at most 32 KiB, as the API gives it. One that cannot be read is none: the rest of
    the record is still worth showing.
    """
    if stored is None or stored.size_bytes > SMALL_BYTES:
        return None
    try:
        found = records.stored_result(run_id, task_run_id)
    except ArtifactSerializationError:
        return None
    shown = as_json(found.codec, lambda: found.data, found.sha256) if found else None
    return None if shown is None else msgspec.json.decode(shown)


def _records() -> LocalRecords:
    from dagy.local import LocalRecords  # a lazy door: DuckDB

    return LocalRecords()
