"""Places that cannot be written: a full disk, a directory that is read-only, a log that somebody is in the way of.

A full disk is a limit on the size of files (`RLIMIT_FSIZE`), set by the flow's process for itself: the kernel then
refuses what goes beyond, in the middle of a line if that is where it is. Looked at is always from a process without it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagy import flow, task
from dagy.core.errors import LocalRecordsError, TaskFailedError
from dagy.local import LocalRecords, run_local

pytestmark = pytest.mark.usefixtures("home")

FULL = """
import resource
import sys
from dagy import flow, task
from dagy_cli.root import run

@task
def talks(lines: int, width: int):
    for _ in range(lines):
        print("x" * width)

@task
def gives(n: int, size: int):
    return "y" * size

@task
def none(n: int):
    return n

@flow
def talking():
    return none(talks(100, 1000))

@flow
def giving():
    return [gives(n, 60_000) for n in range(3)]

@flow
def many():
    return [none(n) for n in range(1000)]

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    sys.exit(run(["run", f"{__file__}:{sys.argv[1]}"]))
"""


@task
def number(n: int) -> int:
    print(f"number {n}")
    return n


@flow
def pair():
    return number(number(1))


@pytest.mark.parametrize(
    "flow, limit_bytes, words",
    [
        pytest.param("talking", 40_000, "log", id="at a line of a log"),
        pytest.param("giving", 40_000, "A result cannot be stored in", id="at a large result"),
        pytest.param("many", 150_000, "The run cannot be recorded in", id="in the journal"),
        pytest.param("many", 1_000, "The run cannot be recorded in", id="at the first line of all"),
    ],
)
def test_a_full_disk_is_a_named_error_and_the_run_failed(
    home: Path, tmp_path: Path, flow: str, limit_bytes: int, words: str
):
    script = tmp_path / "full.py"
    script.write_text(FULL)
    done = subprocess.run(
        [sys.executable, str(script), flow, str(limit_bytes)],
        env={**os.environ, "DAGY_LOCAL_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert "File too large" in done.stderr
    with LocalRecords() as records:
        runs = records.list_runs()
    if limit_bytes < 10_000:
        assert runs == []  # not even its plan could be written
        return
    [run] = runs
    assert run.status == "FAILED"
    # What could not even be said in the journal is an interrupted run to whoever looks next.
    assert run.error_type == ("Interrupted" if flow == "many" else "LocalRecordsError")
    with LocalRecords() as records:
        tasks = records.task_runs(run.id)
    for each in tasks:
        assert each.status.is_final
        assert (each.status == "SUCCEEDED") == (each.result is not None)
        if each.result is not None:
            assert (home / each.result.path).stat().st_size == each.result.size_bytes
    assert list((home / "journals").iterdir()) == []
    assert [path.name for path in home.glob("dagy.duckdb*")] == ["dagy.duckdb"]  # none that was not finished


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Root may write into every directory but those of the kernel."""
    if os.geteuid() == 0:
        yield Path("/proc/self")
        return
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o500)
    yield folder
    folder.chmod(0o700)


def test_a_read_only_directory_is_a_named_error(read_only: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(read_only / "dagy"))
    with pytest.raises(LocalRecordsError, match=f"The run cannot be recorded in {read_only}/dagy"):
        pair.run_local()
    with LocalRecords() as records:
        assert records.list_runs() == []


def test_a_log_that_cannot_be_made_fails_the_run_and_the_task_goes_on_to_its_end(home: Path):
    finished: list[int] = []

    @task
    def in_the_way() -> None:
        [run] = (home / "runs").iterdir()
        (run / "task_runs" / "speaks-1").write_text("not a directory")

    @task
    def speaks(before: None) -> int:
        print("hello")
        finished.append(1)
        return 1

    @flow
    def blocked():
        return speaks(in_the_way())

    with pytest.raises(LocalRecordsError, match=r"The log .*speaks-1/task\.log cannot be written: Not a directory"):
        blocked.run_local()
    assert finished == [1]
    [blocking] = (home / "runs").glob("*/task_runs/speaks-1")
    blocking.unlink()
    with LocalRecords() as records:
        [run] = records.list_runs()
        assert (run.status, run.error_type) == ("FAILED", "LocalRecordsError")
        assert "hello" in records.log_path(run.id).read_text()


def test_a_failure_is_told_as_itself_also_when_its_log_cannot_be_made(home: Path):
    @task
    def fails() -> None:
        [run] = (home / "runs").iterdir()
        (run / "task_runs" / "fails-1").write_text("not a directory")
        raise ValueError("no rows")

    @flow
    def failing():
        return fails()

    with pytest.raises(TaskFailedError, match="no rows"):
        failing.run_local()


def test_a_run_whose_log_cannot_be_opened_failed_for_that_reason(home: Path):
    """The journal takes the last file there may be."""
    traced = pair  # traced before, so that nothing else has to be opened
    traced.trace()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with pytest.raises(LocalRecordsError, match="Too many open files"):
            run_local(traced)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with LocalRecords() as records:
        [run] = records.list_runs()
        assert (run.status, run.error_type) == ("FAILED", "LocalRecordsError")


def test_one_run_that_cannot_be_filed_hides_no_other(home: Path, caplog: pytest.LogCaptureFixture):
    good = pair.run_local()
    (home / "dagy.duckdb").rename(home / "aside")
    (home / "dagy.duckdb").mkdir()
    stuck, waiting = pair.run_local(), pair.run_local()  # in their journals only
    (home / "dagy.duckdb").rmdir()
    (home / "aside").rename(home / "dagy.duckdb")
    blocked = home / "runs" / stuck.run_id / "metadata.json"
    blocked.unlink()
    blocked.mkdir()
    with LocalRecords() as records:
        assert [run.id for run in records.list_runs()] == [waiting.run_id, stuck.run_id, good.run_id]
        assert {run.status for run in records.list_runs()} == {"SUCCEEDED"}
        assert records.task_runs(stuck.run_id) == list(stuck.task_runs)
    assert f"Run {stuck.run_id} is only in its journal so far" in caplog.text
    assert [path.stem for path in (home / "journals").iterdir()] == [stuck.run_id]
    blocked.rmdir()
    with LocalRecords() as records:
        assert records.get_run(stuck.run_id) == stuck.run
    assert list((home / "journals").iterdir()) == []
