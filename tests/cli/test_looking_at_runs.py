"""What commands say about runs at the edges: long logs, large results, ends that are late, or early, or not seen."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import force_setattr

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.values import ResultRef

Write = Callable[..., str]


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Write) -> Any:
    dagy("deploy", f"{project()}:etl")
    return stage


def on_start(stage: Any, act: Callable[[str], object]) -> None:
    """Do this with the id of every run that is dispatched."""

    class Acting:
        def to_runtime(self, size: Any, message: Any) -> None:
            act(message.run_id)

        def to_control(self, message: Any) -> None:
            """Nothing."""

    force_setattr(stage.ports, "dispatcher", Acting())


def write_log(stage: Any, run_id: str, count: int, line: str = "line") -> None:
    at = to_iso(stage.ports.clock.now())
    entries = ({"at": at, "task_run_id": "load-1", "stream": "stdout", "line": f"{line} {n}"} for n in range(count))
    chunk = "".join(json.dumps(entry) + "\n" for entry in entries)
    stage.ports.blobs.put(f"runs/{run_id}/logs/0000-played-000001.jsonl", chunk.encode())


# --- long logs ----------------------------------------------------------------------------------------------


def test_the_end_of_a_watched_run_is_told_without_all_it_wrote(dagy: Any, deployed: Any) -> None:
    def play(run_id: str) -> None:
        deployed.play(run_id)
        write_log(deployed, run_id, 5_000)

    on_start(deployed, play)

    said = dagy("run", "etl", "--watch")

    run_id = said.stdout.split()[2]
    lines = [line for line in said.stderr.splitlines() if " load-1 line " in line]
    assert [line.rpartition(" ")[2] for line in lines] == [str(n) for n in range(4_800, 5_000)]
    assert f"… 4,802 lines left out here. All of them: dagy logs {run_id} --remote" in said.stderr
    before = len(deployed.asked)
    assert len(dagy("logs", run_id, "--remote").stdout.splitlines()) == 5_002
    assert sum("/logs" in line for line in deployed.asked[before:]) == 1


def test_up_to_two_thousand_lines_are_shown_when_a_watched_run_ends(dagy: Any, deployed: Any) -> None:
    def play(run_id: str) -> None:
        deployed.play(run_id)
        write_log(deployed, run_id, 1_998)

    on_start(deployed, play)

    said = dagy("run", "etl", "--watch")

    assert said.stderr.count(" load-1 line ") == 1_998
    assert "left out" not in said.stderr


def test_a_log_of_long_lines_comes_in_answers_that_fit(dagy: Any, deployed: Any) -> None:
    def play(run_id: str) -> None:
        deployed.play(run_id)
        write_log(deployed, run_id, 100, "x" * 64_000)

    on_start(deployed, play)
    run_id = dagy("run", "etl", "--json").json["run_id"]

    assert len(dagy("logs", run_id, "--remote").stdout.splitlines()) == 102


# --- results ------------------------------------------------------------------------------------------------


def finish_with(stage: Any, run_id: str, codec: str, data: bytes) -> None:
    runs, now = stage.ports.runs, stage.ports.clock.now()
    key = f"runs/{run_id}/results/flow"
    stage.ports.blobs.put(key, data)
    ref = ResultRef(codec, len(data), hashlib.sha256(data).hexdigest(), key=key)
    runs.claim_run(run_id, owner="played", now=now, lease_s=60, hop=0)
    runs.finish_run(run_id, owner="played", status=Status.SUCCEEDED, ended_at=to_iso(now), result=ref)


@pytest.mark.parametrize(
    "codec, data, why",
    [
        pytest.param("json", b'"' + b"x" * 17_000_000 + b'"', "too large to print: json, 17,000,002 bytes", id="large"),
        pytest.param("pickle", b"\x80\x05N.", "not JSON, so only the flow's own code can read it: pickle, 4 bytes",
                     id="a pickle"),
    ],
)  # fmt: skip
def test_a_result_that_is_not_printed_says_why_and_how_to_save_it(
    dagy: Any, deployed: Any, codec: str, data: bytes, why: str
) -> None:
    on_start(deployed, lambda run_id: finish_with(deployed, run_id, codec, data))
    run_id = dagy("run", "etl", "--json").json["run_id"]

    said = dagy("runs", "result", run_id, expect=2)

    assert f"Error: The result is {why}\n  → Save it: dagy runs result {run_id} --output FILE\n" in said.stderr
    shown = dagy("runs", "show", run_id, "--remote")
    assert f"Result: {codec}, {len(data):,} bytes (dagy runs result {run_id})" in shown.stdout


def test_a_large_local_result_is_told_of_too(dagy: Any, project: Write) -> None:
    source = (
        "from dagy import flow, task\n@task\ndef a():\n    return 'x' * 50_000\n@flow\ndef big():\n    return a()\n"
    )
    dagy("run", f"{project(source)}:big")

    assert "Result: json, 50,002 bytes (dagy runs result big-" in dagy("runs", "show", "--last").stdout
    assert len(dagy("runs", "result", "--last").stdout) == 50_003


# --- waiting ------------------------------------------------------------------------------------------------


def test_a_wait_that_is_over_says_that_the_run_goes_on_and_how_to_look(dagy: Any, deployed: Any) -> None:
    said = dagy("run", "etl", "--wait", "--timeout", "0", expect=9)

    run_id = said.stdout.split()[2]
    assert f"Run {run_id} goes on without this command: dagy runs show {run_id} --remote" in said.stderr


def test_a_lost_connection_says_that_the_run_goes_on_and_how_to_come_back(dagy: Any, deployed: Any) -> None:
    class Lost:
        def __getattr__(self, name: str) -> Any:
            raise Unavailable("The database does not answer")

    on_start(deployed, lambda run_id: force_setattr(deployed.ports, "runs", Lost()))

    said = dagy("run", "etl", "--watch", expect=4)

    run_id = said.stdout.split()[2]
    assert f"goes on without this command: dagy runs show {run_id} --remote, dagy logs {run_id} --remote" in said.stderr


def test_cancelling_a_run_that_has_ended_says_how_it_ended(dagy: Any, deployed: Any) -> None:
    on_start(deployed, deployed.play)
    run_id = dagy("run", "etl", "--json").json["run_id"]

    said = dagy("runs", "cancel", run_id)  # nothing would be destroyed: nobody is asked

    assert said.stdout == f"Run {run_id} has ended already, SUCCEEDED: there is nothing to cancel\n"


def test_a_task_that_leaves_with_zero_says_so(dagy: Any, project: Write) -> None:
    source = "import sys, dagy\n@dagy.task\ndef bye():\n    sys.exit(0)\n@dagy.flow\ndef f():\n    return bye()\n"

    said = dagy("run", f"{project(source)}:f", expect=8)

    assert "Task bye failed: SystemExit: 0" in said.stderr
    assert "SystemExit: SystemExit" not in dagy("runs", "show", "--last").stdout


# --- lists --------------------------------------------------------------------------------------------------


def test_csv_of_remote_runs_has_what_the_table_has(dagy: Any, deployed: Any) -> None:
    dagy("run", "etl")

    header, row = dagy("runs", "list", "--remote", "--format", "csv").stdout.splitlines()

    assert header == "run_id,status,flow_name,flow_version,started_at,ended_at,duration_s,deployment,trigger"
    assert row.endswith(",etl,manual")


@pytest.mark.parametrize(
    "words", [["runs", "list"], ["runs", "show", "--last"], ["logs", "--last"], ["run", "x.py:f"]], ids=" ".join
)
def test_a_run_is_here_or_in_the_stage_and_not_both(dagy: Any, words: list[str]) -> None:
    assert "--local and --remote exclude each other." in dagy(*words, "--local", "--remote", expect=2).stderr


@pytest.mark.parametrize(
    "column, value, shown",
    [
        pytest.param("duration_s", 0.0, "0.000", id="nothing"),
        pytest.param("duration_s", 0.031296, "0.031", id="milliseconds"),
        pytest.param("duration_s", 1.23456, "1.23", id="seconds"),
        pytest.param("duration_s", 12.3456, "12.3", id="tens of seconds"),
        pytest.param("duration_s", 754.2, "754", id="minutes"),
        pytest.param("peak_mib", 30.46875, "30.5", id="memory"),
        pytest.param("attempt", 2, "2", id="a count"),
        pytest.param("duration_s", None, "", id="not known yet"),
    ],
)
def test_numbers_in_tables_are_as_exact_as_people_need(column: str, value: Any, shown: str) -> None:
    from dagy_cli.output import Output
    from dagy_cli.settings import Settings

    table = Output(Settings(), table_format=lambda: "plain").table([{"a": "x", column: value}], ["a", column])

    assert table.splitlines()[1].split() == ["x", *([shown] if shown else [])]


# --- the machine --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
@pytest.mark.parametrize("words", [["runs", "list"], ["runs", "list", "--json"]], ids=" ".join)
def test_output_that_cannot_be_written_is_told_and_is_no_defect(home: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", "from dagy_cli.main import main; main()", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "Cannot write the output: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_empty_home_is_not_the_root_of_the_disk(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGY_LOCAL_DIR")
    monkeypatch.setenv("HOME", "")

    said = dagy("build", "flow.py:f", expect=None)
    listed = dagy("runs", "list", expect=2)

    assert said.code != 0
    assert "HOME is empty" in listed.stderr
    assert "set DAGY_LOCAL_DIR" in listed.stderr


def test_a_place_for_state_that_cannot_be_written_is_told_with_what_to_set(
    dagy: Any, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path / "file" / "state"))

    said = dagy("build", f"{project()}:etl", expect=1)

    assert "Not a directory: " in said.stderr
    assert "Set DAGY_LOCAL_DIR to a folder that you may write to." in said.stderr
