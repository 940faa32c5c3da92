"""`resume_local`: an interrupted, failed or cancelled run of this machine, finished without repeating what is done.

The run stays the same run: its journal comes back from among its files, gets a `RunResumed`, and goes on.
docs/design/resume.md says which tasks are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dagy.authoring.flows import TracedFlow, trace_flow
from dagy.core.errors import ArtifactSerializationError, Conflict, InvalidInput
from dagy.core.refs import refs_in
from dagy.core.states import Status
from dagy.execution.recorder import Finished
from dagy.local import artifacts
from dagy.local import events as ev
from dagy.local.execution import Execution, execution_of, known_tasks, run_resumed
from dagy.local.history import GrowingHistory, LocalRun, LocalTaskRun, interruption
from dagy.local.journal import JournalWriter, claimed, read_events
from dagy.local.keeping import Keeping, decide_keeping
from dagy.local.layout import LocalPaths
from dagy.local.paths import local_dir
from dagy.local.recording import LocalRunContext, recording
from dagy.local.records import LocalRecords
from dagy.local.run import checked_options
from dagy.local.settings import LocalSettings
from dagy.local.watcher import RunWatcher, Unwatched
from dagy.results import Encoded, decode

if TYPE_CHECKING:
    from dagy.authoring import Flow

_HOLDER_WAIT_S: Final = 2.0
_HOLDER_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Resumable:
    """A run that did not succeed and that nobody works on. `target` is where its flow stood, empty when in no file."""

    run_id: str
    flow_name: str
    target: str


def find_resumable(run_id: str | None) -> Resumable:
    """By its id, or the first 8 or more characters of it; None is the newest run.

    Raises: NotFound, InvalidInput as `LocalRecords.find_run`; Conflict for a run that goes on, that succeeded, or
    whose journal is gone.
    """
    with LocalRecords() as records:
        run = records.find_run(run_id) if run_id is not None else records.latest_run()
    if run is None:
        raise InvalidInput("There is no run to resume", "See `dagy runs list`.")
    paths = LocalPaths(local_dir().absolute())
    _check_status(paths, run)
    return Resumable(run.id, run.flow_name, _latest(_events(paths, run.id)).target)


def resume_local(
    flow: Flow[..., Any],
    run_id: str,
    *,
    fail_fast: bool | None = None,
    max_workers: int | None = None,
    cleanup_keep_last: int | None = 20,
    tell: Callable[[Sequence[str]], None] = lambda lines: None,
    watcher: RunWatcher | None = None,
) -> LocalRunContext:
    """Finish a run, with the parameters it was started with. `tell` gets what is kept and what runs why, line by line,
    before anything runs; the run's log has it too. None means as the run did it before.

    Raises: as `find_resumable` and `run_local`; InvalidInput when the run is of another flow, or its parameters could
    not be stored. The run is as it was then.
    """
    found = find_resumable(run_id)
    if found.flow_name != flow.name:
        raise InvalidInput(
            f"Run {found.run_id} is of flow '{found.flow_name}', not of '{flow.name}'",
            f"It stood in {found.target}." if found.target else None,
        )
    settings = LocalSettings.from_environ()
    paths = LocalPaths(local_dir().absolute())
    with claimed(paths.kept_journal(found.run_id)) as claim:
        if claim is None:
            raise _held(paths, found.run_id)
        past = _Past.of(paths, _events(paths, found.run_id))
        _check_status(paths, past.history.so_far().run)  # somebody may have finished it since
        before = past.last
        options = checked_options(
            fail_fast=before.fail_fast if fail_fast is None else fail_fast,
            max_workers=before.max_workers if max_workers is None else max_workers,
            cleanup_keep_last=cleanup_keep_last,
        )
        traced = trace_flow(flow, (), _parameters(past.first))
        execution = execution_of(traced, options)
        keeping = past.keeping(traced, execution)
        lines = keeping.told()
        tell(lines)
        journal = JournalWriter.reopened(paths.journal(found.run_id), claim, paths.kept_journal(found.run_id))
    past.go_on(journal, run_resumed(execution, keeping, at_s=time.time()))
    past.forget(keeping)
    with recording(
        paths,
        journal,
        past.history,
        run_id=found.run_id,
        settings=settings,
        watcher=watcher or Unwatched(),
        earlier={id: result for id in keeping.kept if (result := past.tasks[id].result) is not None},
        filed=past.filed(keeping, execution),
    ) as opened:
        for line in (f"resumed: {len(keeping.kept):,} kept, {len(keeping.again):,} to run", *lines):
            opened.recorder.remark(line)
        opened.logs.flush()
        finished = past.finished(keeping)
        return opened.carried_out(traced, options=options, finished=finished, keep_last=cleanup_keep_last)


@dataclass(frozen=True, slots=True)
class _Past:
    """What earlier executions left. `end_if_none` is the end that the last one did not write."""

    paths: LocalPaths
    first: ev.RunStarted
    last: ev.RunStarted | ev.RunResumed
    history: GrowingHistory
    tasks: Mapping[str, LocalTaskRun]
    end_if_none: tuple[ev.RunEnded, ...]

    @classmethod
    def of(cls, paths: LocalPaths, events: Sequence[ev.Event]) -> _Past:
        first = _first(events)
        history = GrowingHistory(first)
        for event in events[1:]:
            history.apply(event)
        at_s = events[-1].at
        end = () if history.has_ended else (interruption(at=at_s),)
        if end:
            history.interrupt(at=at_s)
        tasks = {task.id: task for task in history.so_far().task_runs}
        return cls(paths, first, _latest(events), history, tasks, end)

    def go_on(self, journal: JournalWriter, resumed: ev.RunResumed) -> None:
        """Raises: LocalRecordsError, with the journal closed."""
        try:
            for end in self.end_if_none:
                journal.append(end)
            journal.append(resumed)
        except BaseException:
            journal.close()
            raise
        self.history.apply(resumed)

    def keeping(self, traced: TracedFlow, execution: Execution) -> Keeping:
        return decide_keeping(
            known_tasks(self.last.tasks, self.last.code),
            execution.known,
            self.tasks,
            in_output=frozenset(ref.task_run_id for ref in refs_in(traced.output)),
            unreadable=self._unreadable,
        )

    def finished(self, keeping: Keeping) -> Finished:
        """The tasks that run have all their retries again; their attempts are counted on."""
        attempts = tuple((id, self.tasks[id].attempt) for id in keeping.again if id in self.tasks)
        return Finished(succeeded=frozenset(keeping.kept), attempts=attempts, attempts_before=attempts)

    def filed(self, keeping: Keeping, execution: Execution) -> set[str]:
        """Kept tasks whose files say what they will say."""
        position = {task.id: at for at, task in enumerate(execution.tasks)}
        return {id for id in keeping.kept if self.tasks[id].position == position[id]}

    def forget(self, keeping: Keeping) -> None:
        """The files of results that no longer count, and of tasks that the flow has no more. Logs stay."""
        for id, task in self.tasks.items():
            if id in keeping.reasons and keeping.reasons[id] is None:
                continue
            with suppress(OSError):
                (self.paths.task_run(task.run_id, id) / "metadata.json").unlink(missing_ok=True)
                if task.result is not None:
                    (self.paths.root / task.result.path).unlink(missing_ok=True)

    def _unreadable(self, id: str) -> str | None:
        result = self.tasks[id].result
        try:
            if result is not None:
                decode(artifacts.load(self.paths.root, result))
        except ArtifactSerializationError as error:
            return f"its result cannot be loaded any more ({error})"
        return None if result is not None else "its result is not there"


def _events(paths: LocalPaths, run_id: str) -> Sequence[ev.Event]:
    """Raises: Conflict when there are none."""
    events = read_events(paths.kept_journal(run_id)) or read_events(paths.journal(run_id))
    if not events:
        raise Conflict(f"Run {run_id} cannot be resumed: its journal is gone", "Start the flow anew.")
    return events


def _first(events: Sequence[ev.Event]) -> ev.RunStarted:
    return next(event for event in events if isinstance(event, ev.RunStarted))


def _latest(events: Sequence[ev.Event]) -> ev.RunStarted | ev.RunResumed:
    return next(event for event in reversed(events) if isinstance(event, (ev.RunStarted, ev.RunResumed)))


def _parameters(first: ev.RunStarted) -> dict[str, Any]:
    given = first.given
    if given is None:
        raise InvalidInput("The run cannot be resumed: its parameters could not be stored", "Start the flow anew.")
    try:
        values: dict[str, Any] = decode(Encoded(given.codec, given.data, given.sha256))
    except ArtifactSerializationError as error:
        raise InvalidInput(f"The run cannot be resumed: its parameters cannot be loaded any more: {error}") from error
    return values


def _check_status(paths: LocalPaths, run: LocalRun) -> None:
    if run.status is Status.SUCCEEDED:
        raise Conflict(f"Run {run.id} succeeded: there is nothing to resume", "Start the flow anew to run it again.")
    if not run.status.is_final:
        raise _held(paths, run.id)


def _held(paths: LocalPaths, run_id: str) -> Conflict:
    """Who resumes a run at this moment says so in the journal, as soon as it knows what to run."""
    deadline_s = time.monotonic() + _HOLDER_WAIT_S
    while True:
        events = read_events(paths.journal(run_id))
        if events and not isinstance(events[-1], ev.RunEnded):
            return Conflict(
                f"Run {run_id} goes on in process {_latest(events).pid}", "Wait for it, or stop it: Ctrl+C."
            )
        if time.monotonic() > deadline_s:
            return Conflict(f"Run {run_id} is held by another process", "Try again when that has ended.")
        time.sleep(_HOLDER_PAUSE_S)
