"""Records under faults: killed processes, several at once, torn journals, a damaged or held database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy import flow, task
from dagy.core.errors import LocalRecordsError
from dagy.local import LocalRecords, opening
from dagy.local.history import LocalRun, LocalTaskRun, history_of
from dagy.local.journal import read_events
from dagy.local.layout import LocalPaths
from dagy.local.opening import opened

pytestmark = pytest.mark.usefixtures("home")

Start = Callable[..., "subprocess.Popen[str]"]

# Finishes two tasks, says so, and waits inside the third for a line on stdin.
WAITING = """
import sys
from dagy import flow, task

@task
def quick(n):
    print("quick", n)
    return n

@task
def waits(*numbers):
    sys.__stdout__.write("waiting\\n")
    sys.__stdout__.flush()
    sys.stdin.readline()
    return sum(numbers)

@task
def last(n):
    return n

@flow
def waiting():
    return last(waits(quick(1), quick(2)))

ran = waiting.run_local()
sys.__stdout__.write(ran.run_id + " " + ran.status + "\\n")
"""

FORKING = """
    import os, time
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    sys.stdin.readline()
"""

FANNING = """
from dagy import flow, task

@task
def quick(n):
    return n

@task
def total(numbers):
    return sum(numbers)

@flow
def fanning():
    return total([quick(n) for n in range(60)])

for _ in range(5):
    print(fanning.run_local(max_workers=2, cleanup_keep_last=None).run_id)
"""


@task
def number(n: int) -> int:
    return n


@flow
def pair():
    return number(number(1))


def until_running(process: subprocess.Popen[str]) -> None:
    """The third task runs, and the journal says so."""
    until(process, "waiting")
    _wait_for(lambda: "RUNNING" in _latest_counts())


def _latest_counts() -> dict[str, int]:
    with LocalRecords() as records:
        run = records.latest_run()
        return {} if run is None else run.task_counts


def until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"ended without {word!r}: {process.stderr and process.stderr.read()}")


def test_a_run_can_be_seen_while_it_goes_on(start: Start):
    process = start(WAITING)
    until_running(process)
    with LocalRecords() as records:
        [run] = records.list_runs()
        assert run.status == "RUNNING"
        assert run.task_counts == {"SUCCEEDED": 2, "RUNNING": 1, "PENDING": 1}
        assert [task.status for task in records.task_runs(run.id)] == ["SUCCEEDED", "SUCCEEDED", "RUNNING", "PENDING"]
        assert records.get_run(run.id) == records.find_run(run.id[:12]) == records.latest_run() == run
        assert records.list_runs(status="RUNNING", flow="waiting") == [run]
        assert records.list_runs(status="FAILED") == records.list_runs(flow="other") == []
        stored = records.stored_result(run.id, "quick-2")
        assert stored is not None
        assert stored.data == b"2"
        assert "quick 1" in records.log_path(run.id).read_text()
    out, err = process.communicate("go\n", timeout=60)
    assert out.split() == [run.id, "SUCCEEDED"], err
    with LocalRecords() as records:
        assert [each.status for each in records.list_runs()] == ["SUCCEEDED"]


def test_a_killed_run_is_reported_as_interrupted_and_what_was_done_is_kept(start: Start, home: Path):
    process = start(WAITING)
    until_running(process)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    with LocalRecords() as records:
        run = records.latest_run()
        assert run is not None
        assert (run.status, run.error_type) == ("FAILED", "Interrupted")
        assert run.message is not None
        assert run.message.startswith("interrupted")
        tasks = records.task_runs(run.id)
        assert [task.status for task in tasks] == ["SUCCEEDED", "SUCCEEDED", "FAILED", "CANCELLED"]
        assert tasks[2].error_type == "Interrupted"
        stored = records.stored_result(run.id, "quick-1")
        assert stored is not None
        assert stored.data == b"1"
    assert "quick 1" in (home / "runs" / run.id / "run.log").read_text()
    assert json.loads((home / "runs" / run.id / "metadata.json").read_text())["status"] == "FAILED"
    assert list((home / "journals").iterdir()) == []


def test_nothing_is_lost_wherever_the_process_is_killed(start: Start, home: Path):
    """A result that a dependent could have seen is there afterwards; a run is never left RUNNING, nor listed twice."""
    source = FANNING.replace("def quick(n):\n", "def quick(n):\n    print('on', n, flush=True)\n")
    for moment in range(6):
        process = start(source)
        assert process.stdout is not None
        for _ in range(3 + moment * 17):
            process.stdout.readline()
        process.kill()
        process.wait(30)
        durable = {
            path.stem: sum(event.__class__.__name__ == "TaskSucceeded" for event in read_events(path))
            for path in (home / "journals").glob("*.jsonl")
        }
        with LocalRecords() as records:
            runs = records.list_runs(limit=None)
            assert len({run.id for run in runs}) == len(runs) == len(list((home / "runs").iterdir()))
            assert all(run.status.is_final for run in runs)
            for run_id, count in durable.items():
                done = [task for task in records.task_runs(run_id) if task.status == "SUCCEEDED"]
                assert len(done) == count
                assert all(records.stored_result(run_id, task.id) is not None for task in done)


def test_several_processes_at_once_lose_and_double_nothing(start: Start):
    processes = [start(FANNING) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        with LocalRecords() as records:
            records.list_runs()
    made = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        made += out.split()
    with LocalRecords() as records:
        runs = records.list_runs(limit=None)
        assert sorted(run.id for run in runs) == sorted(made)
        assert all(run.task_counts == {"SUCCEEDED": 61} for run in runs)
        for run in runs:
            assert len({task.id for task in records.task_runs(run.id)}) == 61


def test_ctrl_c_leaves_a_cancelled_run(start: Start):
    process = start(WAITING)
    until_running(process)
    process.send_signal(signal.SIGINT)
    process.wait(60)  # its stdin stays open: the task would end
    _, err = process.communicate()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    with LocalRecords() as records:
        run = records.latest_run()
        assert run is not None
        assert (run.status, run.message) == ("CANCELLED", "interrupted by Ctrl-C")
        assert run.task_counts == {"SUCCEEDED": 2, "CANCELLED": 2}


def test_a_child_process_of_a_task_does_not_keep_a_dead_run_alive(start: Start, home: Path):
    process = start(WAITING.replace("    sys.stdin.readline()\n", FORKING))
    until(process, "waiting")
    _wait_for(lambda: len(_children(process.pid)) == 1)
    [child] = _children(process.pid)
    try:
        process.kill()
        process.wait(30)
        with LocalRecords() as records:
            run = records.latest_run()
            assert run is not None
            assert run.error_type == "Interrupted"
    finally:
        os.kill(child, signal.SIGKILL)


# --- the journal --------------------------------------------------------------------------------------------


@pytest.fixture
def complete_journal(home: Path) -> bytes:
    """Of a run that ended and could not be settled, because a directory stands where the database should."""
    (home / "dagy.duckdb").mkdir(parents=True)
    pair.run_local()
    [journal] = (home / "journals").iterdir()
    return journal.read_bytes()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_journal_cut_anywhere_tells_what_it_still_can(complete_journal: bytes, tmp_path: Path, data):
    cut = data.draw(st.integers(0, len(complete_journal)))
    path = tmp_path / "cut.jsonl"
    path.write_bytes(complete_journal[:cut])
    history = history_of(read_events(path), is_abandoned=True)
    whole = complete_journal[:cut].count(b"\n")
    if not whole:
        assert history is None
        return
    assert history is not None
    assert history.run.status == ("SUCCEEDED" if cut == len(complete_journal) else "FAILED")
    done = sum(b'"tasksucceeded"' in line for line in complete_journal[:cut].split(b"\n")[:-1])
    assert history.run.task_counts.get("SUCCEEDED", 0) == done
    assert all(task.status.is_final for task in history.task_runs)


@pytest.mark.parametrize("content", [b"", b"no json", b'{"event":"later","at":1}\n'], ids=["empty", "text", "unknown"])
def test_a_journal_of_nothing_is_dropped(home: Path, content: bytes):
    pair.run_local()
    (home / "journals" / "strange.jsonl").write_bytes(content)
    with LocalRecords() as records:
        assert len(records.list_runs()) == 1
    assert list((home / "journals").iterdir()) == []


# --- the database -------------------------------------------------------------------------------------------


def test_a_run_that_cannot_get_at_the_database_succeeds_and_is_listed_later(home: Path, caplog):
    pair.run_local()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, sys; c = duckdb.connect({str(home / 'dagy.duckdb')!r}, config={opening._CONFIG!r});"
            "print('held', flush=True); sys.stdin.readline()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(holder, "held")
        ran = pair.run_local()
        assert ran.status == "SUCCEEDED"
        assert "not in the database yet" in caplog.text
        with (
            pytest.raises(LocalRecordsError, match="held by another process"),
            LocalRecords(longest_wait_s=0.1) as records,
        ):
            records.list_runs()
    finally:
        holder.communicate("go\n", timeout=30)
    with LocalRecords() as records:
        assert {run.status.value for run in records.list_runs()} == {"SUCCEEDED"}
        assert len(records.list_runs()) == 2
        assert records.stored_result(ran.run_id) is not None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"not a database"), id="another file"),
        pytest.param(lambda path: path.write_bytes(os.urandom(20_000)), id="noise"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), id="cut off"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 4096 + path.read_bytes()[12288:]),
            id="overwritten inside",
        ),
    ],
)
def test_a_damaged_database_is_set_aside_and_made_anew(home: Path, damage, caplog):
    before = pair.run_local()
    damage(home / "dagy.duckdb")
    after = pair.run_local()
    with LocalRecords() as records:
        assert [run.id for run in records.list_runs()] == [after.run_id, before.run_id]
        assert records.get_run(before.run_id) == before.run
        assert tuple(records.task_runs(before.run_id)) == before.task_runs
    assert len(list(home.glob("dagy.duckdb.damaged-*"))) == 1
    assert "kept as" in caplog.text


def test_a_database_damaged_anywhere_costs_one_command_at_most(home: Path, caplog):
    made = [pair.run_local() for _ in range(3)]
    sound = (home / "dagy.duckdb").read_bytes()
    for at in range(0, len(sound), 8192):
        for file in home.glob("dagy.duckdb*"):
            file.unlink()
        (home / "dagy.duckdb").write_bytes(sound[:at] + b"\xa5" * 64 + sound[at + 64 :])
        try:
            found = _everything()
        except LocalRecordsError as error:
            assert "damaged" in str(error)
            found = _everything()
        assert found == [(run.run, list(run.task_runs)) for run in reversed(made)], f"damaged at {at}"


def _everything() -> list[tuple[LocalRun, list[LocalTaskRun]]]:
    with LocalRecords() as records:
        return [(run, records.task_runs(run.id)) for run in records.list_runs()]


def test_a_database_whose_making_was_cut_off_is_made_anew(start: Start, home: Path):
    """Killed while the runs' metadata is read in, it must not be taken for one that has them all."""
    for _ in range(20):
        pair.run_local(cleanup_keep_last=None)
    for _ in range(3):
        (home / "dagy.duckdb").unlink()
        process = start("from dagy.local import LocalRecords\nwith LocalRecords() as records: records.list_runs()")
        while process.poll() is None and not list(home.glob("dagy.duckdb.*.new")):
            time.sleep(0.0005)
        process.kill()
        process.wait(30)
        with LocalRecords() as records:
            assert len(records.list_runs(limit=None)) == 20
    assert not list(home.glob("dagy.duckdb.damaged-*"))


def test_a_database_that_was_removed_is_made_anew(home: Path):
    before = pair.run_local()
    (home / "dagy.duckdb").unlink()
    with LocalRecords() as records:
        assert records.list_runs() == [before.run]
        assert tuple(records.task_runs(before.run_id)) == before.task_runs


def test_the_file_can_be_opened_by_every_duckdb_since_1_0(home: Path):
    pair.run_local()
    header = (home / "dagy.duckdb").read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64  # the storage version of 1.0


def test_the_tables_can_be_queried_without_dagy(home: Path):
    ran = pair.run_local()
    with duckdb.connect(str(home / "dagy.duckdb"), config=opening._CONFIG) as connection:
        [(started_at, status)] = connection.execute("SELECT started_at, status FROM runs").fetchall()
        assert connection.execute("SELECT count(*) FROM task_runs WHERE run_id = ?", [ran.run_id]).fetchone() == (2,)
    assert (started_at.tzinfo, status) == (None, "SUCCEEDED")


def test_saving_twice_changes_nothing(home: Path):
    pair.run_local()
    paths = LocalPaths(home)
    with LocalRecords() as records:
        before = (records.list_runs(), records.task_runs(records.list_runs()[0].id))
    run, tasks = before[0][0], tuple(before[1])
    from dagy.local.history import RunHistory

    with opened(paths) as connection:
        connection.save([RunHistory(run, tasks)])
    with LocalRecords() as records:
        assert (records.list_runs(), records.task_runs(run.id)) == before


def test_threads_take_turns(home: Path):
    errors: list[BaseException] = []

    def reads() -> None:
        try:
            for _ in range(5):
                with LocalRecords() as records:
                    records.list_runs()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=reads) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        pair.run_local()
    for thread in threads:
        thread.join(60)
    assert errors == []


def _children(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in listing.stdout.split()]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
