"""Reading the records of local runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.names import checked_name
from dagy.core.states import Status
from dagy.local import artifacts
from dagy.local.database import Database
from dagy.local.filtering import RunFilter
from dagy.local.history import LocalRun, LocalTaskRun, RunHistory, history_of
from dagy.local.journal import abandoned, read_events
from dagy.local.layout import LocalPaths
from dagy.local.opening import LONGEST_WAIT_S, opened
from dagy.local.paths import local_dir
from dagy.local.settling import settle_abandoned
from dagy.results import Encoded

_SHORTEST_PREFIX: Final = 8
_MOST_NAMED: Final = 5


class LocalRecords:
    """The runs of this machine: those that ended, from the database, and those going on, from their journals.

    Use it as a context manager, and briefly: from the first question about ended runs until the block ends, other
    processes wait for the database. Entering settles runs whose process died; they are then FAILED, "interrupted".

    Raises: LocalRecordsError, on entering and from every method that asks about ended runs.
    """

    def __init__(self, root: Path | None = None, *, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        self._paths = LocalPaths((root or local_dir()).absolute())
        self._longest_wait_s = longest_wait_s
        self._stack = ExitStack()
        self._open: Database | None = None

    def __enter__(self) -> LocalRecords:
        settle_abandoned(self._paths, longest_wait_s=self._longest_wait_s)
        return self

    def __exit__(self, *raised: object) -> None:
        self._open = None
        self._stack.close()

    def list_runs(
        self,
        limit: int | None = 20,
        status: Status | str | Sequence[Status | str] | None = None,
        flow: str | None = None,
        *,
        after: float | None = None,
        before: float | None = None,
    ) -> list[LocalRun]:
        """Newest first. `flow` is a name or `name:version`; `after` and `before` are seconds since the epoch, between
        which runs started. Raises: InvalidInput for an unknown status.
        """
        wanted = RunFilter.of(_statuses(status), flow, after, before)
        live = {history.run.id: history.run for history in self._live()}
        more = None if limit is None else limit + len(live)  # a run that was resumed is in the database too
        ended = self._database.runs(wanted, limit=more) if self._has_database else []
        merged = [run for run in ended if run.id not in live]
        merged += filter(wanted.fits, live.values())
        merged.sort(key=lambda run: (run.started_at, run.id), reverse=True)
        return merged[:limit]

    def latest_run(self) -> LocalRun | None:
        return next(iter(self.list_runs(limit=1)), None)

    def get_run(self, run_id: str) -> LocalRun:
        """Raises: NotFound."""
        history = self._live_history(run_id)
        run = history.run if history is not None else self._ended_run(run_id)
        if run is None:
            raise NotFound("run", run_id)
        return run

    def find_run(self, prefix: str) -> LocalRun:
        """By its id, or by the first 8 or more characters of it.

        Raises: NotFound; InvalidInput when several ids begin so, or the prefix is too short.
        """
        live = [path.stem for path in self._journals() if path.stem.startswith(prefix)]
        ended = self._database.ids_starting_with(prefix, limit=_MOST_NAMED + 1) if self._has_database else []
        found = sorted({*live, *ended})
        if prefix in found:
            return self.get_run(prefix)
        if len(prefix) < _SHORTEST_PREFIX:
            raise NotFound("run", prefix, f"A prefix needs {_SHORTEST_PREFIX} characters or more.")
        if not found:
            raise NotFound("run", prefix, "See `dagy runs list`.")
        if len(found) > 1:
            some = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
            raise InvalidInput(f"Several runs begin with {prefix!r}", f"Give more of the id: {some}")
        return self.get_run(found[0])

    def task_runs(self, run_id: str) -> list[LocalTaskRun]:
        """In the flow's order. Raises: NotFound."""
        history = self._live_history(run_id)
        if history is not None:
            return list(history.task_runs)
        if self._ended_run(run_id) is None:
            raise NotFound("run", run_id)
        return self._database.task_runs(run_id)

    def stored_result(self, run_id: str, task_run_id: str | None = None) -> Encoded | None:
        """Of a task, or of the flow. None when there is none (yet).

        Raises: NotFound; ArtifactSerializationError when its file is gone.
        """
        if task_run_id is None:
            stored = self.get_run(run_id).result
        else:
            tasks = {task.id: task for task in self.task_runs(run_id)}
            if task_run_id not in tasks:
                raise NotFound("task run", task_run_id)
            stored = tasks[task_run_id].result
        if stored is None:
            return None
        live = self._live_history(run_id)
        if live is not None and stored.path in live.unwritten:
            return Encoded(stored.codec, live.unwritten[stored.path], stored.sha256)
        return artifacts.load(self._paths.root, stored)

    def log_path(self, run_id: str, task_run_id: str | None = None) -> Path:
        """Where the log is, or would be: a task that has not begun has none. Asks nothing of the database.

        Raises: InvalidInput for what cannot be an id.
        """
        checked_name("run id", run_id)
        if task_run_id is None:
            return self._paths.run_log(run_id)
        return self._paths.task_log(run_id, checked_name("run id", task_run_id))

    @property
    def _database(self) -> Database:
        if self._open is None:
            self._open = self._stack.enter_context(opened(self._paths, longest_wait_s=self._longest_wait_s))
        return self._open

    @property
    def _has_database(self) -> bool:
        return self._open is not None or self._paths.database.exists() or self._paths.runs.exists()

    def _ended_run(self, run_id: str) -> LocalRun | None:
        return self._database.run(run_id) if self._has_database else None

    def _journals(self) -> list[Path]:
        return sorted(self._paths.journals.glob("*.jsonl"))

    def _live(self) -> Iterator[RunHistory]:
        for journal in self._journals():
            history = _history(journal)
            if history is not None:
                yield history

    def _live_history(self, run_id: str) -> RunHistory | None:
        return _history(self._paths.journal(checked_name("run id", run_id)))


def _history(journal: Path) -> RunHistory | None:
    """Of a run whose process lives, or died since these records were entered. None when it was settled since."""
    with abandoned(journal) as is_abandoned:
        return history_of(read_events(journal), is_abandoned=is_abandoned)


def _statuses(given: Status | str | Sequence[Status | str] | None) -> list[Status]:
    return [_status(status) for status in ([given] if isinstance(given, str) else given or ())]


def _status(status: Status | str) -> Status:
    try:
        return Status(status.upper())
    except ValueError:
        known = ", ".join(Status)
        raise InvalidInput(f"Unknown status {status!r}", f"A status is one of {known}.") from None
