"""`metadata.json` of runs and task runs: the same facts as in the database, for people, and to rebuild it from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from dagy.local.history import LocalRun, LocalTaskRun, RunHistory
from dagy.local.layout import LocalPaths
from dagy.local.private import make_private_dir, write_private_file

_run_decoder: Final = msgspec.json.Decoder(LocalRun)
_task_decoder: Final = msgspec.json.Decoder(LocalTaskRun)


def write_metadata(paths: LocalPaths, history: RunHistory, *, filed: Collection[str] = ()) -> None:
    """Of the run, and of its task runs that were not `filed` before. A repeat writes the same again.

    The run's own file comes last: where it is, the others are.

    Raises: OSError.
    """
    for task_run in history.task_runs:
        if task_run.id not in filed:
            write_task_metadata(paths, task_run)
    directory = paths.run(history.run.id)
    make_private_dir(directory)
    write_private_file(directory / "metadata.json", _readable(history.run))


def write_task_metadata(paths: LocalPaths, task_run: LocalTaskRun) -> None:
    """A repeat writes the same again. Raises: OSError."""
    directory = f"{paths.root}/runs/{task_run.run_id}/task_runs/{task_run.id}"  # cheaper than Path, for each task
    make_private_dir(directory)
    write_private_file(f"{directory}/metadata.json", _readable(task_run))


def read_metadata(paths: LocalPaths) -> Iterator[RunHistory]:
    """Every run that has its metadata, in no order. What cannot be read is left out."""
    for file in paths.runs.glob("*/metadata.json"):
        try:
            run = _run_decoder.decode(file.read_bytes())
            tasks = [_task_decoder.decode(task.read_bytes()) for task in file.parent.glob("task_runs/*/metadata.json")]
        except (OSError, msgspec.MsgspecError):
            continue
        yield RunHistory(run, tuple(sorted(tasks, key=lambda task: task.position)))


def _readable(value: LocalRun | LocalTaskRun) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
