"""`run_local`: a flow executed here and now, with records, logs and results on this machine."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dagy.core.errors import InvalidInput
from dagy.core.names import run_id as run_id_of
from dagy.execution.recorder import Finished, RunOptions
from dagy.local.execution import execution_of, run_started
from dagy.local.history import GrowingHistory, timestamp
from dagy.local.journal import JournalWriter
from dagy.local.layout import LocalPaths
from dagy.local.paths import local_dir
from dagy.local.private import make_private_dir
from dagy.local.recording import LocalRunContext, recording, recording_errors
from dagy.local.settings import LocalSettings
from dagy.local.watcher import RunWatcher, Unwatched

if TYPE_CHECKING:
    from dagy.authoring import Flow

_AHEAD: Final = 64  # tasks of 0.1 ms, for the 5 ms after which Python lets another thread go on


def run_local(
    flow: Flow[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    fail_fast: bool = True,
    max_workers: int = 1,
    cleanup_keep_last: int | None = 20,
    watcher: RunWatcher | None = None,
) -> LocalRunContext:
    """Run the flow to its end, in this process. The run is recorded whatever happens; what is durable when stands in
    docs/design/local-records.md. Of finished runs, the newest `cleanup_keep_last` are kept (None keeps all).

    With `fail_fast`, a failed run raises. Without, a failed task makes a run with status FAILED, which is returned.

    Raises: what tracing raises, with nothing recorded; TaskFailedError (from the author's exception),
    TaskTimeoutError, ArtifactSerializationError or ParameterTypeError; KeyboardInterrupt after Ctrl-C, with the run
    CANCELLED; LocalRecordsError when nothing can be recorded.
    """
    options = checked_options(fail_fast=fail_fast, max_workers=max_workers, cleanup_keep_last=cleanup_keep_last)
    traced = flow.trace(*args, **(kwargs or {}))
    settings = LocalSettings.from_environ()
    paths = LocalPaths(local_dir().absolute())
    at_s = time.time()
    run_id = run_id_of(traced.flow.name, timestamp(at_s), secrets.token_hex(3))
    first = run_started(run_id, traced, execution_of(traced, options), at_s=at_s)
    with recording_errors(paths):
        for directory in (paths.run(run_id) / "task_runs", paths.artifacts_of(run_id)):
            make_private_dir(directory)
        journal = JournalWriter.create(paths.journal(run_id), first)
    with recording(
        paths, journal, GrowingHistory(first), run_id=run_id, settings=settings, watcher=watcher or Unwatched()
    ) as opened:
        return opened.carried_out(traced, options=options, finished=Finished(), keep_last=cleanup_keep_last)


def checked_options(*, fail_fast: bool, max_workers: int, cleanup_keep_last: int | None) -> RunOptions:
    """Raises: InvalidInput."""
    _check_whole("max_workers", max_workers, at_least=1)
    if cleanup_keep_last is not None:
        _check_whole("cleanup_keep_last", cleanup_keep_last, at_least=0)
    return RunOptions(fail_fast=fail_fast, max_workers=max_workers, echo=True, ahead=_AHEAD)


def _check_whole(setting: str, value: Any, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InvalidInput(f"{setting} must be a whole number of {at_least} or more, got {value!r}")
