"""`metadata.json` of runs and task runs: the same facts as in the database, for people, and to rebuild it from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import msgspec

from dagy.local.history import LocalRun, LocalTaskRun, RunHistory
from dagy.local.layout import LocalPaths
from dagy.local.private import create_private, make_private_dir, write_private_file

_run_decoder: Final = msgspec.json.Decoder(LocalRun)
_task_decoder: Final = msgspec.json.Decoder(LocalTaskRun)


def write_metadata(paths: LocalPaths, history: RunHistory) -> None:
    """Also makes sure that every task run has its directory and its log. A repeat writes the same again.

    The run's own file comes last: where it is, the others are.

    Raises: OSError.
    """
    run_id = history.run.id
    task_runs = paths.run(run_id) / "task_runs"
    make_private_dir(task_runs)
    for task in history.task_runs:
        directory = f"{task_runs}/{task.id}"
        make_private_dir(directory)
        write_private_file(f"{directory}/metadata.json", _readable(task))
        os.close(create_private(f"{directory}/task.log", append=True))
    write_private_file(paths.run(run_id) / "metadata.json", _readable(history.run))


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
