"""Runs by the dozen, again, and looked into: `dagy runs bulk | cancel-all | retry | inspect | watch`; `schedules`."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., str]
FAILING = """\
from dagy import flow, task

@task
def load():
    print("reading rows")
    raise ValueError("no rows")

@flow
def etl():
    return load()
"""


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Write) -> Any:
    dagy("deploy", f"{project()}:etl")
    return stage


def start(dagy: Any) -> str:
    run_id: str = dagy("run", "etl", "--json").json["run_id"]
    return run_id


def runs_of(stage: Any, *, limit: int = 100) -> list[Any]:
    return sorted(stage.ports.runs.list_runs(limit=limit).items, key=lambda run: dict(run.parameters)["n"])


# --- bulk ---------------------------------------------------------------------------------------------------


def test_one_run_is_started_for_each_input_of_the_line_and_of_the_file(dagy: Any, deployed: Any) -> None:
    Path("inputs.jsonl").write_text('{"n": 3}\n\n{"n": 4}\n')

    said = dagy("runs", "bulk", "etl", '{"n": 1}', '{"n": 2}', "--from-file", "inputs.jsonl")

    assert [dict(run.parameters)["n"] for run in runs_of(deployed)] == [1, 2, 3, 4]
    first, *ids = said.stdout.splitlines()
    assert first == "Started 4 runs"
    assert sorted(line.strip() for line in ids) == sorted(run.id for run in runs_of(deployed))


def test_inputs_can_come_from_standard_input(dagy: Any, deployed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"n": 7}\n'))

    (run,) = dagy("runs", "bulk", "etl", "--from-file", "-", "--json").json

    assert run["parameters"] == {"n": 7}
    assert dict(deployed.ports.runs.get_run(run["run_id"]).parameters) == {"source": "here", "n": 7}


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param(["{"], 2, "input 1 is no JSON object", id="half an object"),
        pytest.param(['{"n": 1}', "[1]"], 2, "input 2 is no JSON object", id="a list"),
        pytest.param(["--from-file", "bad.jsonl"], 2, "line 2 of bad.jsonl is no JSON object", id="a line of a file"),
        pytest.param(["--from-file", "latin.jsonl"], 2, "latin.jsonl is not UTF-8 text", id="not text"),
        pytest.param(["--from-file", "none.jsonl"], 5, "File not found: none.jsonl", id="no file"),
        pytest.param([], 2, "Give the parameters of each run", id="nothing"),
    ],
)
def test_an_input_that_cannot_be_read_starts_nothing(
    dagy: Any, deployed: Any, words: list[str], code: int, message: str
) -> None:
    Path("bad.jsonl").write_text('{"n": 1}\n{"n": \n')
    Path("latin.jsonl").write_bytes(b'{"n": "\xe9"}')

    assert message in dagy("runs", "bulk", "etl", *words, expect=code).stderr

    assert runs_of(deployed) == []


def test_an_input_that_the_flow_refuses_is_named_and_starts_none_of_its_hundred(dagy: Any, deployed: Any) -> None:
    inputs = ['{"n": 1}', '{"n": "x"}', '{"n": 3}']

    said = dagy("runs", "bulk", "etl", *inputs, "--json", expect=2)

    assert said.json == []
    assert "It was input 2." in said.error["hint"]
    assert runs_of(deployed) == []


def test_runs_are_started_by_the_hundred_and_a_repeat_with_the_same_key_starts_the_rest(
    dagy: Any, deployed: Any
) -> None:
    good, bad = [json.dumps({"n": n}) for n in range(1, 103)], '{"n": "x"}'
    many = ["runs", "bulk", "etl", "--idempotency-key", "k", "--json"]

    said = dagy(*many, *good[:101], bad, expect=2)

    assert [run["parameters"]["n"] for run in said.json] == list(range(1, 101))
    assert "It was input 102." in said.error["hint"]
    assert [line for line in deployed.asked if line.startswith("POST")][-2:] == ["POST /v1/runs/bulk"] * 2
    again = dagy(*many, *good).json
    assert [run["run_id"] for run in again[:100]] == [run["run_id"] for run in said.json]
    assert len({run["run_id"] for run in again}) == 102
    assert [dict(run.parameters)["n"] for run in runs_of(deployed, limit=1000)] == list(range(1, 103))


def test_a_dry_run_of_many_starts_none(dagy: Any, deployed: Any) -> None:
    said = dagy("runs", "bulk", "etl", '{"n": 1}', '{"n": 2}', "--dry-run")

    assert said.stdout.splitlines()[0] == "Would start 2 runs of etl"
    assert runs_of(deployed) == []
    assert dagy("runs", "bulk", "nope", "{}", "--dry-run", "--json", expect=5).error["code"] == "not_found"


# --- cancel-all ---------------------------------------------------------------------------------------------


def test_all_runs_of_a_deployment_that_have_not_ended_are_cancelled(dagy: Any, deployed: Any) -> None:
    ids = [start(dagy) for _ in range(3)]
    deployed.play(ids[0])

    preview = dagy("runs", "cancel-all", "--deployment", "etl", "--dry-run")
    assert preview.stdout.splitlines()[0] == "Would cancel 2 runs"
    assert {line.strip() for line in preview.stdout.splitlines()[1:]} == set(ids[1:])

    said = dagy("runs", "cancel-all", "--deployment", "etl", "--yes")

    assert said.stdout.splitlines()[0] == "Cancelled 2 runs"
    assert [deployed.ports.runs.get_run(id).status.value for id in ids] == ["SUCCEEDED", "CANCELLED", "CANCELLED"]
    assert dagy("runs", "cancel-all", "--flow", "etl", "--json").json == []


def test_runs_are_cancelled_by_the_hundred(dagy: Any, deployed: Any) -> None:
    dagy("runs", "bulk", "etl", *(json.dumps({"n": n}) for n in range(102)))
    deployed.asked.clear()

    gone = dagy("runs", "cancel-all", "--deployment", "etl", "--yes", "--json").json

    assert {run.status.value for run in runs_of(deployed, limit=1000)} == {"CANCELLED"}
    assert len({run["run_id"] for run in gone}) == 102
    assert gone[0].keys() == {"run_id", "flow_name", "flow_version", "deployment", "created_at", "cancelled"}
    assert [line for line in deployed.asked if line.startswith("POST")] == ["POST /v1/runs/cancel"] * 2


@pytest.mark.parametrize(
    "words, count",
    [
        pytest.param(["--flow", "etl"], 2, id="of a flow"),
        pytest.param(["--flow", "other"], 0, id="of another flow"),
        pytest.param(["--flow", "etl", "--status", "running"], 0, id="that run"),
        pytest.param(["--flow", "etl", "--status", "PENDING", "--status", "RUNNING"], 2, id="that wait or run"),
        pytest.param(["--flow", "etl", "--after", "1h"], 2, id="of the last hour"),
        pytest.param(["--flow", "etl", "--before", "1h"], 0, id="of before the last hour"),
        pytest.param(["--flow", "etl", "--after", "2999-01-01"], 0, id="of the future"),
    ],
)
def test_runs_to_cancel_are_filtered(dagy: Any, deployed: Any, words: list[str], count: int) -> None:
    start(dagy)
    start(dagy)

    assert len(dagy("runs", "cancel-all", *words, "--dry-run", "--json").json) == count


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param([], 2, "Say whose runs: --deployment or --flow.", id="of whom"),
        pytest.param(["--flow", "etl", "--status", "FAILED"], 2, "'FAILED' is not one of", id="those that ended"),
        pytest.param(["--flow", "etl", "--after", "soon"], 2, "'soon' is no time.", id="since when"),
        pytest.param(["--flow", "etl"], 2, "Cancel 1 run of flow etl? There is no terminal", id="nobody to ask"),
    ],
)
def test_what_is_not_cancelled(dagy: Any, deployed: Any, words: list[str], code: int, message: str) -> None:
    run_id = start(dagy)

    assert message in dagy("runs", "cancel-all", *words, expect=code).stderr

    assert deployed.ports.runs.get_run(run_id).status.value == "PENDING"


# --- retry --------------------------------------------------------------------------------------------------


def test_a_run_is_started_again_with_its_parameters(dagy: Any, deployed: Any) -> None:
    first = dagy("run", "etl", "--param", "n=5", "--param", "source=there", "--json").json
    deployed.play(first["run_id"], fails_with="no rows")

    again = dagy("runs", "retry", first["run_id"], "--json").json
    other = dagy("runs", "retry", "--last", "--param", "n=6", "--json").json

    assert again["run_id"] not in (first["run_id"], other["run_id"])
    assert (again["status"], again["deployment"]) == ("PENDING", "etl")
    assert again["parameters"] == {"n": 5, "source": "there"}
    assert other["parameters"]["n"] == 6
    assert dagy("runs", "show", first["run_id"], "--json").json["status"] == "FAILED"


def test_from_failed_says_beforehand_what_is_kept_and_what_runs_why(dagy: Any, deployed: Any) -> None:
    first = dagy("run", "etl", "--json").json["run_id"]
    deployed.play(first, fails_with="no rows")
    tasks = dagy("runs", "show", first, "--json").json["tasks"]

    said = dagy("runs", "retry", first, "--from-failed", "--json")

    assert said.json["retry_of"] == first
    for task in tasks:
        verdict = "kept" if task["status"] == "SUCCEEDED" else "runs again: "
        assert f"{task['task_run_id']} {verdict}" in said.stderr
    assert "runs again: it failed" in said.stderr
    assert dagy("runs", "retry", first, "--fresh", "--json").json["retry_of"] is None
    assert "contradicts" in dagy("runs", "retry", first, "--fresh", "--from-failed", expect=2).stderr


def test_from_failed_of_a_run_that_goes_on_is_a_conflict(dagy: Any, deployed: Any) -> None:
    run_id = dagy("run", "etl", "--json").json["run_id"]
    assert "goes on by itself" in dagy("runs", "retry", run_id, "--from-failed", expect=6).stderr


def test_a_run_without_a_deployment_is_started_again_too(dagy: Any, deployed: Any) -> None:
    from dagy.client.http import connect
    from dagy.config import resolve_profile

    first = connect(resolve_profile()).trigger_run({"flow_name": "etl", "flow_version": "latest"})

    again = dagy("runs", "retry", first.run_id, "--json").json

    assert (again["flow_name"], again["deployment"]) == ("etl", None)


def test_what_cannot_be_started_again_says_why(dagy: Any, deployed: Any, project: Write) -> None:
    assert "Run not found" in dagy("runs", "retry", "etl-20260101", expect=5).stderr
    dagy("run", f"{project(name='here')}:etl")

    said = dagy("runs", "retry", "--local", "--last", expect=5)

    assert "It is a run of this machine; finish it: dagy run --resume" in said.stderr
    run_id = start(dagy)
    assert "Unknown parameter 'm'" in dagy("runs", "retry", run_id, "--param", "m=1", expect=2).stderr


# --- inspect and watch --------------------------------------------------------------------------------------


def test_a_failed_run_is_inspected_with_traceback_and_last_lines(dagy: Any, deployed: Any) -> None:
    run_id = start(dagy)
    deployed.play(run_id, fails_with="bad row 17")

    said = dagy("runs", "inspect", run_id, "--remote")
    facts = dagy("runs", "inspect", run_id, "--json").json

    for told in ("status=FAILED", "  load-1 attempt=1 ValueError: bad row 17", "    Traceback …", "hello from load-1"):
        assert told in said.stdout
    (failure,) = facts["failures"]
    assert (failure["task_run_id"], failure["last_lines"]) == ("load-1", ["hello from load-1"])
    assert facts["events"] == []
    assert facts["run_id"] == run_id


def test_a_failed_run_of_this_machine_is_inspected(dagy: Any, project: Write) -> None:
    dagy("run", f"{project(FAILING)}:etl", expect=8)

    said = dagy("runs", "inspect", "--last")

    assert "  load-1 attempt=1 ValueError: no rows" in said.stdout
    assert 'raise ValueError("no rows")' in said.stdout
    assert "reading rows" in said.stdout
    assert "Run not found" in dagy("runs", "inspect", "nothing-like-it", expect=5).stderr


def test_a_run_of_the_stage_is_watched_to_its_end(dagy: Any, deployed: Any) -> None:
    run_id = start(dagy)
    asked = len(deployed.asked)

    def play_when_watched() -> None:
        while len(deployed.asked) == asked:
            threading.Event().wait(0.01)
        deployed.play(run_id, fails_with="bad row 17")

    player = threading.Thread(target=play_when_watched)
    player.start()
    said = dagy("runs", "watch", run_id, "--remote", expect=8)
    player.join()

    assert said.stdout == f"Run completed: {run_id} status=FAILED\n"
    assert "load-1 hello from load-1" in said.stderr
    assert dagy("runs", "watch", run_id, "--json", expect=8).json["status"] == "FAILED"


def test_watching_no_longer_than_asked_is_exit_9(dagy: Any, deployed: Any) -> None:
    dagy("runs", "watch", start(dagy), "--timeout", "0", expect=9)


def test_a_run_of_this_machine_is_watched_by_its_log(dagy: Any, project: Write) -> None:
    dagy("run", f"{project(FAILING)}:etl", expect=8)

    said = dagy("runs", "watch", "--last", expect=8)

    assert said.stdout.endswith(" status=FAILED\n")
    assert "reading rows" in said.stderr
    assert "--timeout is for runs of a stage" in dagy("runs", "watch", "--last", "--timeout", "1", expect=2).stderr


# --- lists, events, names -----------------------------------------------------------------------------------


def test_runs_are_listed_by_when_they_began(dagy: Any, deployed: Any, project: Write) -> None:
    start(dagy)
    dagy("run", f"{project(name='also')}:etl")

    for place in ("--remote", "--local"):
        counts = [
            len(dagy("runs", "list", place, "--json", *period).json)
            for period in (
                ["--after", "1h"],
                ["--before", "1h"],
                ["--after", "2h", "--before", "1m"],
                ["--before", "0s"],
            )
        ]
        assert counts == [1, 0, 0, 1], place
    assert len(dagy("runs", "list", "--json", "--status", "FAILED", "--status", "SUCCEEDED").json) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        pytest.param(["--limit", "0"], "0 is not in the range", id="none at all"),
        pytest.param(["--status", "DONE"], "'DONE' is not one of", id="a status there is not"),
        pytest.param(["--after", "yesterday"], "'yesterday' is no time.", id="a time that is none"),
        pytest.param(["--before", "24 h"], "Write 2026-03-04, 2026-03-04T12:00:00Z, or 24h", id="a time with a space"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(dagy: Any, words: list[str], message: str) -> None:
    assert message in dagy("runs", "list", *words, expect=2).stderr


def test_events_are_filtered_and_shortened_for_people(dagy: Any, deployed: Any) -> None:
    from dagy_runtime.values import Event

    run_id = start(dagy)
    at = "2026-03-04T12:00:00.000Z"
    deployed.ports.runs.append_events(
        [
            Event(run_id, "1", at, "run_started"),
            Event(run_id, "2", at, "task_failed", "load-1", 1, {"error": "x" * 500}),
            Event(run_id, "3", at, "task_failed", "extract-1", 2, {}),
        ]
    )

    def ids(*words: str) -> list[str]:
        return [event["id"] for event in dagy("runs", "events", run_id, "--json", *words).json]

    assert ids() == ["1", "2", "3"]
    assert ids("--type", "task_failed") == ["2", "3"]
    assert ids("--type", "task_failed", "--task", "load-1") == ["2"]
    assert ids("--limit", "1") == ["1"]
    short, full = (dagy("runs", "events", run_id, *words).stdout for words in ([], ["--full"]))
    assert "x" * 500 not in short
    assert "x" * 500 in full


def test_other_names_of_nouns_and_verbs_are_understood(dagy: Any, deployed: Any) -> None:
    run_id = start(dagy)
    deployed.play(run_id)

    assert dagy("flow", "list", "--json").json == dagy("flows", "list", "--json").json
    assert dagy("deployment", "show", "etl", "--json").json["name"] == "etl"
    assert dagy("runs", "status", run_id, "--json").json["status"] == "SUCCEEDED"
    assert dagy("runs", "output", run_id).stdout == "6\n"
    assert "output" not in dagy("runs", "--help").stdout.split()


@pytest.mark.parametrize(
    "words, code", [(["run", "list"], 5), (["run", "status", "--last"], 2), (["run", "show", "abcdefgh"], 2)]
)
def test_who_says_run_for_runs_is_told(dagy: Any, deployed: Any, words: list[str], code: int) -> None:
    assert f"Did you mean{' ' if code == 2 else ': '}" in dagy(*words, expect=code).stderr
    assert f"dagy runs {words[1]}" in dagy(*words, expect=code).stderr


def test_a_flow_is_shown_with_what_waits_for_what(dagy: Any, deployed: Any) -> None:
    lines = [line.split() for line in dagy("flows", "show", "etl").stdout.splitlines()]

    assert ["task_run_id", "task_name", "depends_on"] in lines
    assert ["load-1", "load", "extract-1"] in lines


# --- schedules ----------------------------------------------------------------------------------------------


def test_a_schedule_is_tested_without_a_stage(dagy: Any) -> None:
    said = dagy("schedules", "test", "0 9 * * 1-5", "--timezone", "America/Denver", "--count", "3")

    first, empty, title, *times = said.stdout.splitlines()
    assert (first, empty, title) == ("Valid: 0 9 * * 1-5", "", "Next 3 fire times (America/Denver):")
    assert len(times) == 3
    assert all(" 09:00 M" in time for time in times)
    facts = dagy("schedules", "test", "0 9 * * 1-5", "--tz", "UTC", "--json").json
    assert facts["valid"] is True
    assert [time[10:] for time in facts["next_fire_times"]] == ["T09:00:00.000Z"] * 5
    assert "It fires no more" in dagy("schedules", "test", "at(2020-01-01T00:00:00)").stdout


@pytest.mark.parametrize(
    "words, message",
    [
        pytest.param(["invalid"], "'invalid'", id="no cron"),
        pytest.param(["0 25 * * *"], "25", id="an hour there is not"),
        pytest.param(["0 9 * * *", "--timezone", "Mars/Phobos"], "Unknown time zone 'Mars/Phobos'", id="no zone"),
        pytest.param(["0 9 * * *", "--count", "101"], "101 is not in the range 1<=x<=100", id="too many"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(dagy: Any, words: list[str], message: str) -> None:
    assert message in dagy("schedules", "test", *words, expect=2).stderr


def test_deployments_with_a_schedule_are_listed_with_their_next_time(dagy: Any, deployed: Any, project: Write) -> None:
    assert dagy("schedules", "list", "--json").json == []
    dagy("deploy", f"{project()}:etl", "--schedule", "0 6 * * *", "--timezone", "UTC")

    (row,) = dagy("schedules", "list", "--json").json
    assert (row["name"], row["schedule"], len(row["next_fire_times"])) == ("etl", "0 6 * * *", 3)
    assert row["next_fire_times"][0] in dagy("schedules", "list").stdout
