"""`run_local`: what it gives, what it raises, and what is on the disk afterwards."""

from __future__ import annotations

import json
import re
import stat
import threading
from pathlib import Path

import pytest

from dagy import flow, task
from dagy.core.errors import (
    ArtifactSerializationError,
    InvalidInput,
    LocalExecutionError,
    LocalRecordsError,
    MissingParameter,
    ParameterTypeError,
    TaskFailedError,
    TaskTimeoutError,
)
from dagy.local import LocalRecords, run_local

pytestmark = pytest.mark.usefixtures("home")


@task
def extract(n: int) -> list:
    print(f"extracting {n}")
    return list(range(n))


@task
def total(rows: list) -> int:
    return sum(rows)


@flow(version="1.0.0")
def etl(n: int = 4):
    return total(extract(n))


@task
def boom(message: str = "boom") -> None:
    raise ValueError(message)


def only(fn, *args):
    """A flow of one task call."""

    @flow
    def one():
        return fn(*args)

    return one


def test_a_local_run_gives_its_result_and_its_records():
    ran = etl.run_local(3)
    assert re.fullmatch(r"etl-\d{8}T\d{6}Z-[0-9a-f]{6}", ran.run_id)
    assert (ran.status, ran.result) == ("SUCCEEDED", 3)
    assert ran.run.parameters == {"n": 3}
    assert ran.run.task_counts == {"SUCCEEDED": 2}
    assert [(task.id, task.status, task.attempt, task.depends_on) for task in ran.task_runs] == [
        ("extract-1", "SUCCEEDED", 1, ()),
        ("total-1", "SUCCEEDED", 1, ("extract-1",)),
    ]
    assert ran.result_of("extract-1") == [0, 1, 2]
    with pytest.raises(KeyError):
        ran.result_of("extract-9")


def test_the_files_are_where_the_documentation_says(home: Path):
    ran = etl.run_local(3)
    run = home / "runs" / ran.run_id
    assert "extracting 3" in (run / "run.log").read_text()
    assert "extracting 3" in (run / "task_runs" / "extract-1" / "task.log").read_text()
    metadata = json.loads((run / "metadata.json").read_text())
    assert {key: metadata[key] for key in ("id", "status", "flow_name", "flow_version")} == {
        "id": ran.run_id,
        "status": "SUCCEEDED",
        "flow_name": "etl",
        "flow_version": "1.0.0",
    }
    assert metadata["started_at"] <= metadata["ended_at"]
    assert metadata["ended_at"].endswith("Z")
    task_metadata = json.loads((run / "task_runs" / "total-1" / "metadata.json").read_text())
    assert (task_metadata["status"], task_metadata["depends_on"]) == ("SUCCEEDED", ["extract-1"])
    assert json.loads((home / "artifacts" / ran.run_id / "extract-1" / "result.json").read_text()) == [0, 1, 2]
    assert json.loads((home / "artifacts" / ran.run_id / "result.json").read_text()) == 3
    assert (home / "dagy.duckdb").exists()
    assert list((home / "journals").iterdir()) == []


def test_nobody_else_can_read_them(home: Path):
    etl.run_local()
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_log_tells_what_happened_in_order():
    lines = [line.split(" ", 1)[1].split(maxsplit=1) for line in etl.run_local(2).log_path.read_text().splitlines()]
    texts = [re.sub(r"in [\d.]+ s", "in a while", text) for _, text in lines]
    assert texts == [
        "[extract-1] started",
        "[extract-1] extracting 2",
        "[extract-1] succeeded in a while",
        "[total-1] started",
        "[total-1] succeeded in a while",
        "the run succeeded",
    ]


def test_what_tasks_print_is_still_shown(capsys):
    etl.run_local(2)
    assert capsys.readouterr() == ("extracting 2\n", "")


def test_verbose_also_shows_what_happens(capsys, monkeypatch):
    monkeypatch.setenv("DAGY_LOCAL_VERBOSE", "yes")
    etl.run_local(2)
    shown = capsys.readouterr()
    assert shown.out == "extracting 2\n"
    assert shown.err.splitlines()[0] == "extract-1: started"
    assert shown.err.splitlines()[-1] == "the run succeeded"


@pytest.mark.parametrize("size_bytes", [100, 100_000], ids=["small", "large"])
def test_results_of_every_size_are_stored(size_bytes):
    @task
    def data() -> bytes:
        return b"x" * size_bytes

    ran = only(data).run_local()
    assert ran.result == ran.result_of("data-1") == b"x" * size_bytes
    with LocalRecords() as records:
        stored = records.stored_result(ran.run_id, "data-1")
    assert stored is not None
    assert stored.codec == "json-tagged"


# --- failures -----------------------------------------------------------------------------------------------


def test_a_failed_task_raises_from_the_authors_own_exception():
    with pytest.raises(TaskFailedError, match=r"^Task boom failed: no rows$") as caught:
        only(boom, "no rows").run_local()
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.task_run_id == "boom-1"
    first = caught.value.__cause__.__traceback__
    assert first is not None
    assert first.tb_frame.f_code.co_filename == __file__
    with LocalRecords() as records:
        run = records.latest_run()
        assert run is not None
        assert (run.status, run.error_type, run.message) == ("FAILED", "ValueError", "'boom-1' failed: no rows")
        [task_run] = records.task_runs(run.id)
        assert (task_run.status, task_run.message) == ("FAILED", "no rows")
        assert task_run.traceback is not None
        assert "ValueError: no rows" in records.log_path(run.id, "boom-1").read_text()


def test_without_fail_fast_a_failed_run_is_given_back():
    @flow
    def mixed():
        boom()
        return total(extract(3))

    ran = mixed.run_local(fail_fast=False)
    assert (ran.status, ran.result) == ("FAILED", None)
    assert ran.run.task_counts == {"FAILED": 1, "SUCCEEDED": 2}


def test_a_timeout_and_a_wrong_parameter_raise_by_name():
    release = threading.Event()

    @task(timeout_seconds=0.05)
    def stuck() -> None:
        release.wait(30)

    @task
    def typed(x: int) -> int:
        return x

    try:
        with pytest.raises(TaskTimeoutError, match=r"^Task exceeded timeout of 0.05s$"):
            only(stuck).run_local()
    finally:
        release.set()

    @flow
    def mistyped():
        return typed(extract(1))

    with pytest.raises(ParameterTypeError, match="'x' expects int"):
        mistyped.run_local()


def test_a_result_over_the_cap_fails_its_task_and_names_type_and_cap(monkeypatch):
    monkeypatch.setenv("DAGY_LOCAL_ARTIFACT_MAX_BYTES", "1000")

    @task
    def large() -> str:
        return "x" * 2000

    with pytest.raises(ArtifactSerializationError) as caught:
        only(large).run_local()
    assert "type str" in str(caught.value)
    assert "2,002 bytes" in str(caught.value)
    assert "1,000 that DAGY_LOCAL_ARTIFACT_MAX_BYTES allows" in str(caught.value)
    with LocalRecords() as records:
        run = records.latest_run()
        assert run is not None
        assert run.status == "FAILED"


def test_a_flows_own_result_over_the_cap_is_given_but_not_kept(monkeypatch):
    monkeypatch.setenv("DAGY_LOCAL_ARTIFACT_MAX_BYTES", "1000")

    @task
    def part() -> str:
        return "x" * 600

    @flow
    def parts():
        return [part(), part()]

    ran = parts.run_local()
    assert (ran.status, ran.run.result) == ("SUCCEEDED", None)
    assert ran.result == ["x" * 600] * 2
    assert "the flow's result is not kept" in ran.log_path.read_text()


def test_a_flow_whose_value_cannot_be_stored_fails():
    @flow
    def locked():
        extract(1)
        return threading.Lock()

    with pytest.raises((ArtifactSerializationError, LocalExecutionError), match="lock"):
        locked.run_local()


@pytest.mark.parametrize(
    "settings, words",
    [
        pytest.param({"max_workers": 0}, "max_workers", id="no workers"),
        pytest.param({"max_workers": 1.5}, "max_workers", id="part of a worker"),
        pytest.param({"cleanup_keep_last": -1}, "cleanup_keep_last", id="keep fewer than none"),
    ],
)
def test_senseless_settings_are_refused_and_nothing_is_recorded(home: Path, settings, words):
    with pytest.raises(InvalidInput, match=words):
        run_local(etl, (), {"n": 1}, **settings)
    assert not home.exists()


@pytest.mark.parametrize("value", ["many", "0", "-5"])
def test_a_senseless_cap_is_refused(home: Path, monkeypatch, value):
    monkeypatch.setenv("DAGY_LOCAL_ARTIFACT_MAX_BYTES", value)
    with pytest.raises(InvalidInput, match="DAGY_LOCAL_ARTIFACT_MAX_BYTES"):
        etl.run_local()


def test_a_flow_that_does_not_build_is_not_recorded(home: Path):
    @flow
    def needs(x: int):
        return extract(x)

    with pytest.raises(MissingParameter):
        needs.run_local()
    assert not home.exists()


def test_a_place_that_cannot_be_written_is_a_named_error(tmp_path: Path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("not a directory")
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(file / "home"))
    with pytest.raises(LocalRecordsError, match="cannot be recorded"):
        etl.run_local()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("dagy-")] == []


def test_a_disk_that_fills_up_ends_the_run_with_a_named_error(home: Path):
    """The artifacts' directory is replaced by a file while the run goes on: no large result can be stored."""

    @task
    def sabotage() -> bytes:
        [directory] = (home / "artifacts").iterdir()
        directory.rmdir()
        directory.write_text("full")
        return b"x" * 100_000

    with pytest.raises(LocalRecordsError, match="cannot be stored"):
        only(sabotage).run_local()
    for blocking in (home / "artifacts").iterdir():
        blocking.unlink()
    with LocalRecords() as records:
        run = records.latest_run()
        assert run is not None
        assert (run.status, run.error_type) == ("FAILED", "LocalRecordsError")


def test_runs_inside_tasks_and_side_by_side_are_runs_like_others(home: Path):
    @task
    def inner() -> int:
        return etl.run_local(3).result

    ran = only(inner).run_local()
    assert ran.result == 3
    threads = [threading.Thread(target=etl.run_local, args=(2,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with LocalRecords() as records:
        assert [run.status for run in records.list_runs()] == ["SUCCEEDED"] * 5


# --- cleaning up --------------------------------------------------------------------------------------------


def test_the_last_runs_are_kept_with_their_files(home: Path):
    ids = [etl.run_local(cleanup_keep_last=3).run_id for _ in range(5)]
    with LocalRecords() as records:
        assert {run.id for run in records.list_runs()} == set(ids[-3:])
    assert {path.name for path in (home / "runs").iterdir()} == set(ids[-3:])
    assert {path.name for path in (home / "artifacts").iterdir()} == set(ids[-3:])


def test_none_keeps_everything_and_zero_nothing(home: Path):
    for _ in range(3):
        etl.run_local(cleanup_keep_last=None)
    assert len(list((home / "runs").iterdir())) == 3
    etl.run_local(cleanup_keep_last=0)
    assert list((home / "runs").iterdir()) == []
