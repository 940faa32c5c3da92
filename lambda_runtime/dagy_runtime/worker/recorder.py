"""The runner's recorder inside a child process: every fact goes through the pipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from dagy.core.errors import ArtifactSerializationError
from dagy.execution.recorder import Failure, Measured
from dagy.results import Encoded
from dagy_runtime.worker.frames import (
    Logged,
    Refused,
    Reply,
    ResultGiven,
    ResultWanted,
    TaskCancelled,
    TaskFailed,
    TaskRetrying,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
)
from dagy_runtime.worker.link import Link
from dagy_runtime.worker.payloads import from_payload, to_payload

_MESSAGE_CHARS: Final = 16 * 1024
_TRACEBACK_CHARS: Final = 64 * 1024
_LINE_CHARS: Final = 256 * 1024


class PipeRecorder:
    """Implements `dagy.execution.recorder.Recorder`. Large results pass through files in `handover_dir`. Tracebacks
    name the author's files as they lie in the artifact: where `code_dir` is differs from attempt to attempt.
    """

    def __init__(self, link: Link, *, handover_dir: Path, code_dir: Path) -> None:
        self._link, self._handover_dir, self._code_dir = link, handover_dir, code_dir

    def task_started(self, task_run_id: str, *, attempt: int) -> None:
        self._link.send(TaskStarted(task_run_id, attempt))

    def task_succeeded(self, task_run_id: str, *, attempt: int, result: Encoded, measured: Measured) -> None:
        payload = to_payload(result, folder=self._handover_dir)
        reply = self._link.ask(lambda number: TaskSucceeded(number, task_run_id, attempt, payload, measured))
        _raise_if_refused(reply)

    def task_retrying(self, task_run_id: str, *, attempt: int, failure: Failure, delay_s: float) -> None:
        self._link.send(TaskRetrying(task_run_id, attempt, shortened(failure, self._code_dir), delay_s))

    def task_failed(self, task_run_id: str, *, attempt: int, failure: Failure, measured: Measured) -> None:
        self._link.send(TaskFailed(task_run_id, attempt, shortened(failure, self._code_dir), measured))

    def task_skipped(self, task_run_id: str, *, reason: str) -> None:
        self._link.send(TaskSkipped(task_run_id, reason))

    def task_cancelled(self, task_run_id: str, *, reason: str) -> None:
        self._link.send(TaskCancelled(task_run_id, reason))

    def result_of(self, task_run_id: str) -> Encoded:
        reply = self._link.ask(lambda number: ResultWanted(number, task_run_id))
        _raise_if_refused(reply)
        if not isinstance(reply, ResultGiven):
            raise ArtifactSerializationError(f"The result of {task_run_id} was answered with {type(reply).__name__}")
        return from_payload(reply.result)

    def log(self, task_run_id: str | None, stream: str, line: str) -> None:
        if stream == "ERROR":
            line = _within(line, self._code_dir)
        self._link.send(Logged(task_run_id, stream, line[:_LINE_CHARS]))


def shortened(failure: Failure, code_dir: Path) -> Failure:
    """A failure that fits into a table's item. Of a long traceback the end is kept: that is where the cause stands."""
    message, traceback = failure.message, _within(failure.traceback, code_dir)
    if len(message) > _MESSAGE_CHARS:
        message = f"{message[:_MESSAGE_CHARS]}… ({len(message) - _MESSAGE_CHARS} more characters)"
    if len(traceback) > _TRACEBACK_CHARS:
        cut = len(traceback) - _TRACEBACK_CHARS
        traceback = f"… ({cut} more characters)\n{traceback[cut:]}"
    return Failure(failure.error_type, message, traceback)


def _within(text: str, code_dir: Path) -> str:
    return text.replace(f'File "{code_dir}{os.sep}', 'File "')


def _raise_if_refused(reply: Reply) -> None:
    if isinstance(reply, Refused):
        raise ArtifactSerializationError(reply.reason)
