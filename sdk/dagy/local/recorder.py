"""The recorder of local runs: facts to the journal, results to files, lines to the logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from dagy.core.errors import ArtifactSerializationError, LocalRecordsError
from dagy.core.states import Status
from dagy.execution.recorder import Cancelled, Failed, Failure, Measured, Outcome, Succeeded
from dagy.local import artifacts
from dagy.local import events as ev
from dagy.local.filing import Filer
from dagy.local.history import GrowingHistory, StoredResult
from dagy.local.journal import JournalWriter
from dagy.local.layout import LocalPaths
from dagy.local.logs import LogFiles
from dagy.local.watcher import RunWatcher
from dagy.results import Encoded

_SMALL_BYTES: Final = 16 * 1024
_NONE_EARLIER: Final[Mapping[str, StoredResult]] = {}


class LocalRecorder:
    """Of one run. `clock` gives seconds since the epoch, `say` gets a line for everything that happens, `earlier`
    holds the results of tasks that an earlier execution finished.
    """

    def __init__(
        self,
        run_id: str,
        *,
        paths: LocalPaths,
        journal: JournalWriter,
        history: GrowingHistory,
        filer: Filer,
        logs: LogFiles,
        clock: Callable[[], float],
        artifact_max_bytes: int,
        say: Callable[[str], None],
        watcher: RunWatcher,
        earlier: Mapping[str, StoredResult] = _NONE_EARLIER,
    ) -> None:
        self.run_id = run_id
        self.journal = journal
        self._history = history
        self._filer = filer
        self._paths = paths
        self._logs = logs
        self._clock = clock
        self._artifact_max_bytes = artifact_max_bytes
        self._say = say
        self._watcher = watcher
        self._earlier = earlier

    def task_started(self, task_run_id: str, *, attempt: int) -> None:
        self._record(ev.TaskStarted(at=self._clock(), id=task_run_id, attempt=attempt), can_wait=True)
        self._note("INFO", task_run_id, f"started, attempt {attempt}" if attempt > 1 else "started")
        self._watcher.task_changed(task_run_id, Status.RUNNING, attempt=attempt)

    def task_succeeded(self, task_run_id: str, *, attempt: int, result: Encoded, measured: Measured) -> None:
        """Durable against the death of this process, not of the machine: see docs/design/local-records.md."""
        self._logs.check()
        stored, data = self._store(result, task_run_id)
        self._record(
            ev.TaskSucceeded(
                at=self._clock(),
                id=task_run_id,
                attempt=attempt,
                duration_s=measured.duration_s,
                cpu_s=measured.cpu_s,
                peak_mib=measured.peak_mib,
                codec=stored.codec,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                artifact=stored.path,
                data=data,
            )
        )
        self._filer.put(task_run_id)
        self._note("INFO", task_run_id, f"succeeded in {measured.duration_s:.3f} s")
        self._watcher.task_changed(task_run_id, Status.SUCCEEDED, attempt=attempt, duration_s=measured.duration_s)

    def task_retrying(self, task_run_id: str, *, attempt: int, failure: Failure, delay_s: float) -> None:
        self._record(
            ev.TaskRetrying(
                at=self._clock(),
                id=task_run_id,
                attempt=attempt,
                delay_s=delay_s,
                error_type=failure.error_type,
                message=failure.message,
            )
        )
        self._note("WARNING", task_run_id, f"attempt {attempt} failed, next in {delay_s:.3g} s: {failure.message}")
        self._watcher.task_changed(
            task_run_id, Status.PENDING, attempt=attempt, message=f"again in {delay_s:.3g} s: {failure.message}"
        )

    def task_failed(self, task_run_id: str, *, attempt: int, failure: Failure, measured: Measured) -> None:
        self._record(
            ev.TaskFailed(
                at=self._clock(),
                id=task_run_id,
                attempt=attempt,
                duration_s=measured.duration_s,
                cpu_s=measured.cpu_s,
                peak_mib=measured.peak_mib,
                error_type=failure.error_type,
                message=failure.message,
                traceback=failure.traceback,
            )
        )
        self._filer.put(task_run_id)
        self._note("ERROR", task_run_id, f"failed: {failure.message}")
        self._watcher.task_changed(
            task_run_id,
            Status.FAILED,
            attempt=attempt,
            duration_s=measured.duration_s,
            message=failure.message,
        )

    def task_skipped(self, task_run_id: str, *, reason: str) -> None:
        self._record(ev.TaskSkipped(at=self._clock(), id=task_run_id, reason=reason), can_wait=True)
        self._filer.put(task_run_id)
        self._note("WARNING", task_run_id, f"skipped: {reason}")
        self._watcher.task_changed(task_run_id, Status.SKIPPED, attempt=0, message=reason)

    def task_cancelled(self, task_run_id: str, *, reason: str) -> None:
        self._record(ev.TaskCancelled(at=self._clock(), id=task_run_id, reason=reason), can_wait=True)
        self._filer.put(task_run_id)
        self._note("WARNING", task_run_id, f"cancelled: {reason}")
        self._watcher.task_changed(task_run_id, Status.CANCELLED, attempt=0, message=reason)

    def result_of(self, task_run_id: str) -> Encoded:
        return artifacts.load(self._paths.root, self._earlier[task_run_id])

    def log(self, task_run_id: str | None, stream: str, line: str) -> None:
        self._logs.said(self._clock(), task_run_id, stream, line)

    def remark(self, text: str) -> None:
        """A line of the run's log that is about the run itself."""
        self._note("INFO", None, text)

    def ended(self, outcome: Outcome) -> None:
        """The journal is complete, and on the disk, when this returns.

        Raises: LocalRecordsError, OSError; the first, with nothing written, for a success with a log that is not whole.
        """
        if isinstance(outcome, Succeeded):
            self._logs.flush()
            self._logs.check()
        self._record(self._end_event(outcome))
        self.journal.sync()

    def _record(self, event: ev.Event, *, can_wait: bool = False) -> None:
        """The journal first: what is only remembered did not happen."""
        self.journal.append(event, can_wait=can_wait)
        self._history.apply(event)

    def _end_event(self, outcome: Outcome) -> ev.RunEnded:
        at = self._clock()
        if isinstance(outcome, Succeeded):
            self._note("INFO", None, "the run succeeded")
            return self._with_output(ev.RunEnded(at=at, status=Status.SUCCEEDED.value), outcome.output)
        if isinstance(outcome, Failed):
            failure = outcome.failure
            subject = f"'{outcome.task_run_id}' failed: " if outcome.task_run_id else ""
            self._note("ERROR", None, f"the run failed: {subject}{failure.message}")
            return ev.RunEnded(
                at=at,
                status=Status.FAILED.value,
                error_type=failure.error_type,
                message=f"{subject}{failure.message}",
                traceback=failure.traceback,
            )
        reason = outcome.reason if isinstance(outcome, Cancelled) else "handed back"
        self._note("WARNING", None, f"the run was cancelled: {reason}")
        return ev.RunEnded(at=at, status=Status.CANCELLED.value, message=reason)

    def _with_output(self, ended: ev.RunEnded, output: Encoded | None) -> ev.RunEnded:
        """The flow's own result is made of results already stored; one over the cap fails nothing, and is not kept."""
        if output is None:
            return ended
        try:
            stored, data = self._store(output, None)
        except ArtifactSerializationError as error:
            self._note("WARNING", None, f"the flow's result is not kept: {error}")
            return ended
        return msgspec.structs.replace(
            ended,
            codec=stored.codec,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            artifact=stored.path,
            data=data,
        )

    def _store(self, result: Encoded, task_run_id: str | None) -> tuple[StoredResult, bytes | None]:
        """Returns where it is or will be, and the data that the journal has to carry until then."""
        if result.size_bytes > self._artifact_max_bytes:
            raise ArtifactSerializationError(
                f"it takes {result.size_bytes:,} bytes ({result.codec}), more than the {self._artifact_max_bytes:,} "
                "that DAGY_LOCAL_ARTIFACT_MAX_BYTES allows"
            )
        stored = artifacts.place_of(result, self.run_id, task_run_id)
        if result.size_bytes <= _SMALL_BYTES:
            return stored, result.data
        try:
            artifacts.write(self._paths.root, stored.path, result.data)
        except OSError as error:
            raise LocalRecordsError(f"A result cannot be stored in {self._paths.artifacts}: {error}") from error
        return stored, None

    def _note(self, level: str, task_run_id: str | None, text: str) -> None:
        self._logs.happened(self._clock(), level, task_run_id, text)
        self._say(f"{task_run_id}: {text}" if task_run_id else text)
