"""One execution of a run, recorded: what is open while it lasts, how it ends, what of it is handed to the caller."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from dagy.core.errors import (
    ArtifactSerializationError,
    LocalExecutionError,
    LocalRecordsError,
    ParameterTypeError,
    TaskFailedError,
    TaskTimeoutError,
)
from dagy.core.states import Status
from dagy.execution.failures import failure_of
from dagy.execution.recorder import Cancelled, Failed, Finished, Outcome, RunOptions, Succeeded
from dagy.execution.runner import run_flow
from dagy.local import artifacts
from dagy.local.events import RunEnded
from dagy.local.filing import Filer
from dagy.local.flusher import Flusher
from dagy.local.history import GrowingHistory, LocalRun, LocalTaskRun, RunHistory, StoredResult
from dagy.local.journal import JournalWriter
from dagy.local.layout import LocalPaths
from dagy.local.logs import LogFiles
from dagy.local.recorder import LocalRecorder
from dagy.local.settings import LocalSettings
from dagy.local.settling import remove, settle
from dagy.local.watcher import RunWatcher
from dagy.results import decode

if TYPE_CHECKING:
    from pathlib import Path

    from dagy.authoring import TracedFlow

_log: Final = logging.getLogger(__name__)
_DATABASE_WAIT_S: Final = 2.0  # at a run's end; what is not in the database then, the next reader brings there
_NONE_EARLIER: Final[Mapping[str, StoredResult]] = {}


@dataclass(frozen=True, slots=True)
class LocalRunContext:
    """A local run that has ended. `result` is the flow's value, None when it failed. `run` and `task_runs` (in the
    flow's order) are its records: statuses, times (seconds since 1970), attempts, parameters, errors.
    """

    run: LocalRun
    task_runs: tuple[LocalTaskRun, ...]
    result: Any
    _paths: LocalPaths

    @property
    def run_id(self) -> str:
        return self.run.id

    @property
    def status(self) -> Status:
        """SUCCEEDED or FAILED: of a cancelled run there is no answer."""
        return self.run.status

    @property
    def log_path(self) -> Path:
        """The run's log, with the lines of all its tasks."""
        return self._paths.run_log(self.run.id)

    def result_of(self, task_run_id: str) -> Any:
        """The stored result of one task. Raises: KeyError when it has none; ArtifactSerializationError."""
        stored = next((task.result for task in self.task_runs if task.id == task_run_id), None)
        if stored is None:
            raise KeyError(task_run_id)
        return decode(artifacts.load(self._paths.root, stored))


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that is open while a run is recorded."""

    paths: LocalPaths
    journal: JournalWriter
    history: GrowingHistory
    filer: Filer
    flusher: Flusher
    logs: LogFiles
    recorder: LocalRecorder
    watcher: RunWatcher

    def carried_out(
        self, traced: TracedFlow, *, options: RunOptions, finished: Finished, keep_last: int | None
    ) -> LocalRunContext:
        """Run what is not finished, to the end. Raises: as `run_local`."""
        kept_count = len(finished.succeeded)
        self.watcher.run_began(self.recorder.run_id, task_count=len(traced.calls), kept_count=kept_count)
        outcome = run_flow(traced, self.recorder, options=options, finished=finished)
        self.recorder.ended(outcome)
        history = self._settled(keep_last=keep_last)
        return _answer(self.paths, traced, history, outcome, fail_fast=options.fail_fast)

    def _settled(self, *, keep_last: int | None) -> RunHistory:
        """Records that cannot be settled now stay in the journal for the next reader; the run itself is done."""
        self.flusher.close()
        self.logs.close()
        filed = self.filer.close()
        history = self.history.so_far()
        try:
            old = settle(
                self.paths,
                {self.journal.path: history},
                filed=filed,
                keep_last=keep_last,
                longest_wait_s=_DATABASE_WAIT_S,
            )
            remove(self.paths, old)
        except LocalRecordsError as error:
            _log.warning("Run %s is recorded, but not in the database yet: %s", history.run.id, error)
        return history

    def close(self) -> None:
        self.flusher.close()
        self.filer.close()
        self.logs.close()
        self.journal.close()


@contextmanager
def recording(
    paths: LocalPaths,
    journal: JournalWriter,
    history: GrowingHistory,
    *,
    run_id: str,
    settings: LocalSettings,
    watcher: RunWatcher,
    earlier: Mapping[str, StoredResult] = _NONE_EARLIER,
    filed: Collection[str] = (),
) -> Iterator[Recording]:
    """Takes the journal over. Whatever leaves the block, the run has an end in it, if that can still be written.

    `earlier` has the results of tasks that are finished, `filed` the tasks whose files are there already.

    Raises: LocalRecordsError.
    """
    try:
        with recording_errors(paths):
            logs = LogFiles(paths, run_id)
    except LocalRecordsError as error:
        with closing(journal), suppress(LocalRecordsError):
            failure = failure_of(error)
            journal.append(
                RunEnded(at=time.time(), status="FAILED", error_type=failure.error_type, message=failure.message)
            )
        raise
    filer = Filer(paths, history, filed=filed)
    recorder = LocalRecorder(
        run_id,
        paths=paths,
        journal=journal,
        history=history,
        filer=filer,
        logs=logs,
        clock=time.time,
        artifact_max_bytes=settings.artifact_max_bytes,
        say=_teller(sys.stderr) if settings.is_verbose else lambda text: None,
        watcher=watcher,
        earlier=earlier,
    )
    opened = Recording(paths, journal, history, filer, Flusher(journal.flush, logs.flush), logs, recorder, watcher)
    try:
        yield opened
    except BaseException as error:
        if not history.has_ended:
            _record_break(recorder, error)
        raise
    finally:
        opened.close()


@contextmanager
def recording_errors(paths: LocalPaths) -> Iterator[None]:
    """Raises: LocalRecordsError for every OSError of the block."""
    try:
        yield
    except OSError as error:
        raise LocalRecordsError(f"The run cannot be recorded in {paths.root}: {error}") from error


def _record_break(recorder: LocalRecorder, error: BaseException) -> None:
    """The runner or the records broke, not the flow. If even this cannot be written, the run counts as interrupted."""
    try:
        recorder.ended(Failed(failure_of(error)))
    except (LocalRecordsError, OSError) as problem:
        _log.warning("The end of run %s could not be recorded: %s", recorder.run_id, problem)


def _answer(
    paths: LocalPaths, traced: TracedFlow, history: RunHistory, outcome: Outcome, *, fail_fast: bool
) -> LocalRunContext:
    if isinstance(outcome, Cancelled):
        raise KeyboardInterrupt
    if isinstance(outcome, Failed) and fail_fast:
        _raise(outcome, traced)
    output = outcome.output if isinstance(outcome, Succeeded) else None
    value = None if output is None else decode(output)
    return LocalRunContext(history.run, history.task_runs, value, paths)


def _raise(outcome: Failed, traced: TracedFlow) -> NoReturn:
    if isinstance(outcome.error, (TaskTimeoutError, ArtifactSerializationError, ParameterTypeError)):
        raise outcome.error
    if outcome.task_run_id is None:
        raise LocalExecutionError(outcome.failure.message) from outcome.error
    task_name = traced.calls[outcome.task_run_id].task.name
    raise TaskFailedError(task_name, outcome.failure.message, outcome.task_run_id) from outcome.error


def _teller(stderr: TextIO) -> Callable[[str], None]:
    def say(text: str) -> None:
        stderr.write(f"{text}\n")

    return say
