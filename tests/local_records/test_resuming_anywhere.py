"""Resuming in this process: after a crash at any byte of the journal, and as `flow.resume`."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy import flow, task
from dagy.core.errors import Conflict, InvalidInput, TaskFailedError
from dagy.local import LocalRecords
from dagy.local.events import TaskSucceeded
from dagy.local.journal import read_events
from dagy.local.layout import LocalPaths
from dagy.local.paths import using_local_dir

RAN: Counter[str] = Counter()
BROKEN: set[str] = set()


def ran(what: str) -> None:
    RAN[what] += 1
    if what in BROKEN:
        raise ValueError(f"{what} is broken")


@task
def number(n: int) -> int:
    ran(f"number-{n}")
    return n


@task
def letters(n: int) -> str:
    ran(f"letters-{n}")
    return "x" * n


@task
def joined(numbers: list[int], texts: list[str]) -> dict[str, int]:
    ran("joined-1")
    return {"sum": sum(numbers), "letters": sum(map(len, texts))}


@task(retries=1)
def last(found: dict[str, int], *, scale: int) -> int:
    ran("last-1")
    return (found["sum"] + found["letters"]) * scale


@flow
def work(scale: int = 1):
    found = joined([number(n) for n in (1, 2, 3)], [letters(n) for n in (1, 40_000)])
    return last(found, scale=scale)


@flow
def other():
    return number(1)


OUTPUT = (6 + 40_001) * 2


@pytest.fixture(autouse=True)
def _nothing_ran_yet() -> None:
    RAN.clear()
    BROKEN.clear()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a run of which all but the last task succeeded."""
    home = tmp_path_factory.mktemp("home")
    BROKEN.add("last-1")
    with using_local_dir(home), pytest.raises(TaskFailedError):
        work.run_local(2)
    return home


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1))
def test_after_a_crash_at_any_byte_of_the_journal_a_resume_equals_no_crash(failed: Path, share: float):
    RAN.clear()
    with tempfile.TemporaryDirectory() as folder, using_local_dir(home := Path(folder) / "home"):
        shutil.copytree(failed, home)
        paths = LocalPaths(home)
        [run_id] = [path.name for path in paths.runs.iterdir()]
        data = paths.kept_journal(run_id).read_bytes()
        first_line = data.index(b"\n") + 1
        paths.kept_journal(run_id).unlink()
        paths.journal(run_id).write_bytes(data[: first_line + round((len(data) - first_line) * share)])
        finished = {event.id for event in read_events(paths.journal(run_id)) if isinstance(event, TaskSucceeded)}
        done = work.resume(run_id)
        assert (done.run_id, done.status, done.result) == (run_id, "SUCCEEDED", OUTPUT)
        assert sum(RAN.values()) == 7 - len(finished)
        assert max(RAN.values()) == 1


@pytest.mark.usefixtures("home")
def test_a_resumed_run_keeps_its_parameters_its_id_and_its_start():
    BROKEN.add("joined-1")
    with pytest.raises(TaskFailedError):
        work.run_local(scale=2)
    with LocalRecords() as records:
        run = records.latest_run()
    assert run is not None
    BROKEN.clear()
    done = work.resume(run.id[:8])
    assert done.result == OUTPUT
    assert (done.run_id, done.run.started_at, done.run.parameters) == (run.id, run.started_at, {"scale": 2})
    twice = {"joined-1": 2}
    assert twice == {what: count for what, count in RAN.items() if count != 1}
    assert len(RAN) == 7
    with LocalRecords() as records:
        assert records.list_runs() == [done.run]
        assert records.task_runs(run.id) == list(done.task_runs)
    assert {task.id: task.attempt for task in done.task_runs if task.attempt > 1} == {"joined-1": 2}


@pytest.mark.usefixtures("home")
def test_a_task_that_runs_again_has_all_its_retries_and_counts_its_attempts_on():
    BROKEN.add("last-1")
    for attempts in (2, 4):
        with pytest.raises(TaskFailedError):
            if attempts == 2:
                work.run_local()
            else:
                work.resume("work-202")
        with LocalRecords() as records:
            [run] = records.list_runs()
            assert records.task_runs(run.id)[-1].attempt == attempts
    assert RAN["last-1"] == 4


@pytest.mark.usefixtures("home")
def test_a_run_is_resumed_as_it_was_run_unless_told_otherwise():
    BROKEN.add("letters-1")
    first = work.run_local(fail_fast=False, max_workers=3)
    assert first.status == "FAILED"
    again = work.resume(first.run_id)
    assert (again.status, again.run.max_workers, again.run.fail_fast) == ("FAILED", 3, False)
    with pytest.raises(TaskFailedError):
        work.resume(first.run_id, fail_fast=True, max_workers=1)


@pytest.mark.usefixtures("home")
def test_a_run_of_another_flow_or_one_that_succeeded_is_refused():
    done = other.run_local()
    with pytest.raises(Conflict, match="nothing to resume"):
        other.resume(done.run_id)
    BROKEN.add("number-1")
    with pytest.raises(TaskFailedError):
        other.run_local()
    with LocalRecords() as records:
        run = records.latest_run()
    assert run is not None
    with pytest.raises(InvalidInput, match="is of flow 'other', not of 'work'"):
        work.resume(run.id)


@pytest.mark.usefixtures("home")
def test_a_run_whose_tasks_are_all_done_but_that_has_no_end_is_only_ended(home: Path):
    BROKEN.add("last-1")
    with pytest.raises(TaskFailedError):
        work.run_local()
    BROKEN.clear()
    with LocalRecords() as records:
        run = records.latest_run()
    assert run is not None
    work.resume(run.id)
    journal = LocalPaths(home).kept_journal(run.id)
    *most, _end = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    LocalPaths(home).journal(run.id).write_bytes(b"".join(most))
    RAN.clear()
    assert work.resume(run.id).status == "SUCCEEDED"
    assert not RAN
