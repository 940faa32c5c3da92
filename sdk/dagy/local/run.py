"""`run_local`: a flow executed here and now, with records, logs and results on this machine."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from dagy.core.errors import (
    ArtifactSerializationError,
    InvalidInput,
    LocalExecutionError,
    LocalRecordsError,
    ParameterTypeError,
    TaskFailedError,
    TaskTimeoutError,
)
from dagy.core.names import run_id as run_id_of
from dagy.core.states import Status
from dagy.execution.failures import failure_of
from dagy.execution.recorder import Cancelled, Failed, Outcome, RunOptions, Succeeded
from dagy.execution.runner import run_flow
from dagy.local import artifacts
from dagy.local.filing import Filer
from dagy.local.flusher import Flusher
from dagy.local.history import GrowingHistory, LocalRun, LocalTaskRun, RunHistory, timestamp
from dagy.local.journal import JournalWriter
from dagy.local.layout import LocalPaths
from dagy.local.logs import LogFiles
from dagy.local.paths import local_dir
from dagy.local.private import make_private_dir
from dagy.local.recorder import LocalRecorder, first_event
from dagy.local.settings import LocalSettings
from dagy.local.settling import remove, settle
from dagy.results import decode

if TYPE_CHECKING:
    from pathlib import Path

    from dagy.authoring import Flow, TracedFlow

_log: Final = logging.getLogger(__name__)
_DATABASE_WAIT_S: Final = 2.0  # at a run's end; what is not in the database then, the next reader brings there


@dataclass(frozen=True, slots=True)
class LocalRunContext:
    """A local run that has ended. `result` is the flow's value, None when it failed."""

    run: LocalRun
    task_runs: tuple[LocalTaskRun, ...]
    result: Any
    _paths: LocalPaths

    @property
    def run_id(self) -> str:
        return self.run.id

    @property
    def status(self) -> Status:
        return self.run.status

    @property
    def log_path(self) -> Path:
        return self._paths.run_log(self.run.id)

    def result_of(self, task_run_id: str) -> Any:
        """The stored result of one task. Raises: KeyError when it has none; ArtifactSerializationError."""
        stored = next((task.result for task in self.task_runs if task.id == task_run_id), None)
        if stored is None:
            raise KeyError(task_run_id)
        return decode(artifacts.load(self._paths.root, stored))


def run_local(
    flow: Flow[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    fail_fast: bool = True,
    max_workers: int = 1,
    cleanup_keep_last: int | None = 20,
) -> LocalRunContext:
    """Run the flow to its end, in this process. The run is recorded whatever happens; what is durable when stands in
    docs/design/local-records.md. Of finished runs, the newest `cleanup_keep_last` are kept (None keeps all).

    With `fail_fast`, a failed run raises. Without, a failed task makes a run with status FAILED, which is returned.

    Raises: what tracing raises, with nothing recorded; TaskFailedError (from the author's exception),
    TaskTimeoutError, ArtifactSerializationError or ParameterTypeError; KeyboardInterrupt after Ctrl-C, with the run
    CANCELLED; LocalRecordsError when nothing can be recorded.
    """
    _check_whole("max_workers", max_workers, at_least=1)
    if cleanup_keep_last is not None:
        _check_whole("cleanup_keep_last", cleanup_keep_last, at_least=0)
    options = RunOptions(fail_fast=fail_fast, max_workers=max_workers, echo=True)
    traced = flow.trace(*args, **(kwargs or {}))
    settings = LocalSettings.from_environ()
    paths = LocalPaths(local_dir().absolute())
    with _recording(paths, traced, options=options, settings=settings) as recording:
        outcome = run_flow(traced, recording.recorder, options=options)
        recording.recorder.ended(outcome)
        history = recording.settled(keep_last=cleanup_keep_last)
    return _answer(paths, traced, history, outcome, fail_fast=fail_fast)


@dataclass(frozen=True, slots=True)
class _Recording:
    """Everything that is open while a run is recorded."""

    paths: LocalPaths
    journal: JournalWriter
    history: GrowingHistory
    filer: Filer
    flusher: Flusher
    logs: LogFiles
    recorder: LocalRecorder

    def settled(self, *, keep_last: int | None) -> RunHistory:
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
def _recording(
    paths: LocalPaths, traced: TracedFlow, *, options: RunOptions, settings: LocalSettings
) -> Iterator[_Recording]:
    """Whatever leaves the block, the run has an end in its journal, if it can still be written."""
    recording = _begun(paths, traced, options=options, settings=settings)
    try:
        yield recording
    except BaseException as error:
        _record_break(recording.recorder, error)
        raise
    finally:
        recording.close()


def _begun(paths: LocalPaths, traced: TracedFlow, *, options: RunOptions, settings: LocalSettings) -> _Recording:
    at_s = time.time()
    run_id = run_id_of(traced.spec.name, timestamp(at_s), secrets.token_hex(3))
    first = first_event(run_id, traced, options=options, at_s=at_s)
    try:
        for directory in (paths.run(run_id) / "task_runs", paths.artifacts_of(run_id)):
            make_private_dir(directory)
        journal = JournalWriter.create(paths.journal(run_id), first)
        logs = LogFiles(paths, run_id)
    except OSError as error:
        raise LocalRecordsError(f"The run cannot be recorded in {paths.root}: {error}") from error
    history = GrowingHistory(first)
    filer = Filer(paths, history)
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
    )
    return _Recording(paths, journal, history, filer, Flusher(journal.flush, logs.flush), logs, recorder)


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


def _check_whole(setting: str, value: Any, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InvalidInput(f"{setting} must be a whole number of {at_least} or more, got {value!r}")
