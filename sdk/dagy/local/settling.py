"""Bringing journals that nobody writes any more into the database, and old runs out of it.

The runner does it for its own run at the end; whoever reads records does it for runs whose process died, or could
not get at the database. Every step can be repeated: the files, beside them the database in one transaction that
replaces what it has of the run, and when both are there the journal goes: to the run's other files when the run may be
resumed, or was.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from dagy.core.errors import LocalRecordsError
from dagy.core.states import Status
from dagy.local import artifacts
from dagy.local.history import RunHistory, history_of
from dagy.local.journal import abandoned, read_events
from dagy.local.layout import LocalPaths
from dagy.local.metadata import write_metadata
from dagy.local.opening import LONGEST_WAIT_S, opened

_log: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 50  # journals in one transaction; each is an open file


def settle_abandoned(paths: LocalPaths, *, longest_wait_s: float = LONGEST_WAIT_S) -> None:
    """Runs that are going on are left alone, and so are those whose files cannot be written, with a warning: their
    journals can still be read.

    Raises: LocalRecordsError when the database cannot be used; nothing is lost then.
    """
    journals = iter(sorted(paths.journals.glob("*.jsonl")))
    while batch := list(islice(journals, _AT_ONCE)):
        try:
            _settle_those(paths, batch, longest_wait_s)
        except OSError:
            for journal in batch:
                try:
                    _settle_those(paths, [journal], longest_wait_s)
                except OSError as error:
                    _log.warning("Run %s is only in its journal so far: %s", journal.stem, error)


def _settle_those(paths: LocalPaths, journals: Sequence[Path], longest_wait_s: float) -> None:
    with ExitStack() as locks:
        ours = [path for path in journals if locks.enter_context(abandoned(path))]
        if ours:
            found = {path: history_of(read_events(path), is_abandoned=True) for path in ours}
            _settle(paths, found, longest_wait_s=longest_wait_s)


def settle(
    paths: LocalPaths,
    histories: Mapping[Path, RunHistory | None],
    *,
    filed: Collection[str] = (),
    keep_last: int | None = None,
    longest_wait_s: float = LONGEST_WAIT_S,
) -> list[str]:
    """For whoever holds the locks of these journals. Journals of no run at all (None) just go. The files of task runs
    `filed` before are there already.

    Returns: the runs beyond the newest `keep_last` finished ones, for `remove`.
    Raises: LocalRecordsError; the journals are still there then.
    """
    try:
        return _settle(paths, histories, filed=filed, keep_last=keep_last, longest_wait_s=longest_wait_s)
    except OSError as error:
        raise LocalRecordsError(f"The local records in {paths.root} cannot be written: {error}") from error


def _settle(
    paths: LocalPaths,
    histories: Mapping[Path, RunHistory | None],
    *,
    filed: Collection[str] = (),
    keep_last: int | None = None,
    longest_wait_s: float,
) -> list[str]:
    """Raises: OSError for files, LocalRecordsError for the database."""
    known = [history for history in histories.values() if history is not None]
    with _beside(lambda: _write_files(paths, known, filed)), opened(paths, longest_wait_s=longest_wait_s) as database:
        database.save(known)
        old = [] if keep_last is None else database.ids_beyond(keep_last)
    for journal, what in histories.items():
        _put_away(paths, journal, what)
    return old


def _write_files(paths: LocalPaths, histories: Sequence[RunHistory], filed: Collection[str]) -> None:
    for history in histories:
        for path, data in history.unwritten.items():
            artifacts.write(paths.root, path, data)
        write_metadata(paths, history, filed=filed)


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Another thread does it meanwhile. Leaving the block waits for its end, and raises what it raised."""
    problems: list[BaseException] = []

    def try_it() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=try_it, name="dagy-settling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if problems:
        raise problems[0]


def _put_away(paths: LocalPaths, journal: Path, history: RunHistory | None) -> None:
    if history is None or (history.run.status is Status.SUCCEEDED and not history.was_resumed):
        journal.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError):
        journal.rename(paths.kept_journal(history.run.id))


def remove(paths: LocalPaths, run_ids: Sequence[str]) -> list[str]:
    """Finished runs, with their files. The database forgets them last: when this is cut short, `settle` names them
    again. Those that somebody resumes stay.

    Returns: those that are gone. Raises: LocalRecordsError.
    """
    gone = [run_id for run_id in run_ids if _remove_files(paths, run_id)]
    if gone:
        with opened(paths) as database:
            database.delete(gone)
    return gone


def _remove_files(paths: LocalPaths, run_id: str) -> bool:
    journal = paths.kept_journal(run_id)
    with abandoned(journal) as is_free:
        if not is_free and (journal.exists() or paths.journal(run_id).exists()):
            return False
        journal.unlink(missing_ok=True)  # first: without it, nobody resumes the run
        shutil.rmtree(paths.run(run_id), ignore_errors=True)
        shutil.rmtree(paths.artifacts_of(run_id), ignore_errors=True)
        return True
