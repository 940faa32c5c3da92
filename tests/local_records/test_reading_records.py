"""What can be asked of the records."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.states import Status
from dagy.local import LocalRecords
from dagy.local.history import LocalRun, LocalTaskRun, RunHistory, timestamp
from dagy.local.layout import LocalPaths
from dagy.local.opening import opened

STATUSES = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


def history(number: int, flow: str = "etl", version: str = "1", status: Status = Status.SUCCEEDED) -> RunHistory:
    """The run that started so many seconds after the epoch."""
    run_id = f"{flow}-run{number:06d}"
    run = LocalRun(
        id=run_id,
        flow_name=flow,
        flow_version=version,
        status=status,
        started_at=timestamp(number),
        parameters={"n": number},
        fail_fast=True,
        max_workers=1,
        task_counts={"SUCCEEDED": 1},
        ended_at=timestamp(number + 0.5),
        duration_s=0.5,
    )
    return RunHistory(run, (LocalTaskRun(run_id, "t-1", "t", 0, (), Status.SUCCEEDED, attempt=1),))


def fill(home: Path, histories: list[RunHistory]) -> None:
    with opened(LocalPaths(home)) as database:
        database.save(histories)


@pytest.fixture
def filled(home: Path) -> Path:
    fill(
        home,
        [history(n, status=STATUSES[n % 3]) for n in range(1, 7)]
        + [history(10, flow="ingest", version="2.0.0"), history(11, flow="ingest", version="2.1.0")],
    )
    return home


@pytest.mark.parametrize(
    "filters, numbers",
    [
        pytest.param({}, [11, 10, 6, 5, 4, 3, 2, 1], id="newest first"),
        pytest.param({"limit": 3}, [11, 10, 6], id="so many"),
        pytest.param({"limit": None}, [11, 10, 6, 5, 4, 3, 2, 1], id="all"),
        pytest.param({"status": "FAILED"}, [4, 1], id="by status"),
        pytest.param({"status": "failed", "limit": 1}, [4], id="by status in small letters"),
        pytest.param({"status": ["FAILED", Status.CANCELLED]}, [5, 4, 2, 1], id="by several statuses"),
        pytest.param({"after": 5.0, "before": 11.0}, [10, 6, 5], id="begun at a time or later and before another"),
        pytest.param({"before": 1.0}, [], id="begun before there were any"),
        pytest.param({"flow": "ingest"}, [11, 10], id="by flow"),
        pytest.param({"flow": "ingest:2.0.0"}, [10], id="by flow and version"),
        pytest.param({"flow": "in"}, [], id="not by part of a name"),
    ],
)
def test_listing(filled: Path, filters, numbers):
    with LocalRecords() as records:
        assert [run.parameters["n"] for run in records.list_runs(**filters)] == numbers


def test_an_unknown_status_is_refused(filled: Path):
    with LocalRecords() as records, pytest.raises(InvalidInput, match="Unknown status 'done'"):
        records.list_runs(status="done")


def test_records_are_closed_however_the_block_ends(filled: Path):
    """DuckDB lets one process have the file open, so whether another can open it tells."""

    def can_be_opened() -> bool:
        program = f"import duckdb; duckdb.connect({str(LocalPaths(filled).database)!r})"
        return subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60).returncode == 0

    with pytest.raises(ZeroDivisionError), LocalRecords() as records:
        assert records.list_runs()
        assert not can_be_opened()
        raise ZeroDivisionError

    assert can_be_opened()


def test_runs_are_found_by_prefix(filled: Path):
    fill(filled, [history(12, flow="ing")])
    with LocalRecords() as records:
        assert records.find_run("etl-run000003").parameters == {"n": 3}
        assert records.find_run("ing-run0").parameters == {"n": 12}
        with pytest.raises(InvalidInput, match="Several runs begin with 'etl-run0'") as caught:
            records.find_run("etl-run0")
        assert "etl-run000001, etl-run000002" in str(caught.value.hint)
        for unknown in ("etl-run9999", "etl", ""):
            with pytest.raises(NotFound, match="Run not found"):
                records.find_run(unknown)


def test_what_does_not_exist_is_not_found(filled: Path):
    with LocalRecords() as records:
        for ask in (records.get_run, records.task_runs, records.stored_result):
            with pytest.raises(NotFound, match=r"^Run not found: none$"):
                ask("none")
        with pytest.raises(NotFound, match="Task run not found: t-9"):
            records.stored_result("etl-run000001", "t-9")
        assert records.stored_result("etl-run000001") is None


@pytest.mark.parametrize("id", ["../../etc", "a/b", "", ".."])
def test_ids_that_are_paths_are_refused(filled: Path, id):
    with LocalRecords() as records:
        for ask in (records.log_path, records.get_run):
            with pytest.raises(InvalidInput):
                ask(id)
        with pytest.raises(InvalidInput):
            records.log_path("etl-run000001", id or "..")


def test_where_nothing_ever_ran_there_is_nothing_and_nothing_is_made(home: Path):
    with LocalRecords() as records:
        assert records.list_runs() == []
        assert records.latest_run() is None
        with pytest.raises(NotFound):
            records.find_run("etl-20260304")
    assert not home.exists()


def test_listing_takes_its_rows_and_not_all_of_them(home: Path):
    """Ten thousand runs: the list of twenty is made of twenty, whatever the machine's speed."""
    fill(home, [history(n) for n in range(10_000)])
    with LocalRecords() as records:
        began = time.perf_counter()
        few = records.list_runs(limit=20)
        few_s = time.perf_counter() - began
        everything = records.list_runs(limit=None)
        all_s = time.perf_counter() - began - few_s
    assert (len(few), len(everything)) == (20, 10_000)
    assert few_s < all_s / 2
