"""`dagy run`, `runs` and `logs`: here and in a stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from msgspec.structs import force_setattr

from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.keys import DynamoKeys
from dagy_runtime.adapters.aws.people import DynamoAuditLog
from dagy_runtime.adapters.aws.schema import table_definition
from dagy_runtime.adapters.aws.system import SystemClock
from dagy_runtime.adapters.aws.table import Table

Write = Callable[..., str]
PRINTING = """\
from dagy import flow, task

@task
def extract(n: int):
    print("extracting", n)
    return list(range(n))

@task
def load(rows):
    if not rows:
        raise ValueError("no rows")
    return sum(rows)

@flow
def etl(n: int = 3):
    return load(extract(n))
"""


@pytest.fixture
def here(dagy: Any, project: Write) -> str:
    """A flow to run on this machine."""
    return f"{project(PRINTING)}:etl"


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Write) -> Any:
    dagy("deploy", f"{project(PRINTING)}:etl")
    return stage


def start(dagy: Any, *words: str) -> str:
    run_id: str = dagy("run", "etl", "--json", *words).json["run_id"]
    return run_id


# --- here ---------------------------------------------------------------------------------------------------


def test_a_path_with_a_flow_runs_here_even_when_an_api_is_configured(dagy: Any, stage: Any, here: str) -> None:
    said = dagy("run", here, "--param", "n=4", "--max-workers", "2")

    assert said.stdout.splitlines()[-1].startswith("Run completed: etl-")
    assert said.stdout.splitlines()[-1].endswith(" status=SUCCEEDED")
    assert stage.asked == []


def test_what_a_flow_prints_stays_out_of_machine_output(dagy: Any, here: str) -> None:
    said = dagy("run", here, "--json")

    assert said.json["status"] == "SUCCEEDED"
    assert "extracting 3" in said.stderr


def test_a_failed_local_run_is_exit_8_with_the_way_to_its_log(dagy: Any, here: str) -> None:
    said = dagy("run", here, "--param", "n=0", expect=8)
    assert "Error: Task load failed: no rows" in said.stderr
    assert "→ What it wrote: dagy logs --local --last" in said.stderr

    lenient = dagy("run", here, "--param", "n=0", "--no-fail-fast", expect=8)
    assert " status=FAILED" in lenient.stdout
    for failed in (said, lenient):
        assert "To finish it once that is mended: dagy run --resume-last" in failed.stderr


def test_local_runs_are_listed_shown_and_read_by_the_beginning_of_their_id(dagy: Any, here: str) -> None:
    run_id = dagy("run", here, "--json").json["run_id"]
    dagy("run", here, "--param", "n=0", expect=8)
    beginning = run_id[:-2]

    listed = dagy("runs", "list", "--status", "succeeded", "--json").json
    shown = dagy("runs", "show", beginning, "--json").json
    text = dagy("runs", "show", beginning).stdout

    assert [run["run_id"] for run in listed] == [run_id]
    assert set(listed[0]) == {
        "run_id", "status", "flow_name", "flow_version", "parameters", "started_at", "ended_at", "duration_s", "error",
    }  # fmt: skip
    assert {**shown, "tasks": [], "started_at": "", "ended_at": "", "duration_s": 0} == {
        "run_id": run_id,
        "status": "SUCCEEDED",
        "flow_name": "etl",
        "flow_version": "latest",
        "parameters": {"n": 3},
        "started_at": "",
        "ended_at": "",
        "duration_s": 0,
        "error": None,
        "result": 3,
        "result_codec": "json",
        "result_size_bytes": 1,
        "tasks": [],
    }
    assert [(task["task_run_id"], task["status"], task["attempt"], task["result"]) for task in shown["tasks"]] == [
        ("extract-1", "SUCCEEDED", 1, [0, 1, 2]),
        ("load-1", "SUCCEEDED", 1, 3),
    ]
    assert text.startswith(f"Run: {run_id} status=SUCCEEDED flow=etl:latest\nStart: ")
    assert "extracting 3" in dagy("logs", beginning).stdout
    assert "extracting 3" in dagy("logs", beginning, "--task", "extract-1").stdout
    assert dagy("logs", beginning, "--task", "load-1").stdout == ""
    assert "Log not found: " in dagy("logs", beginning, "--task", "load-2", expect=5).stderr
    assert json.loads(dagy("runs", "result", beginning, "--task", "extract-1").stdout) == [0, 1, 2]


def test_last_is_the_newest_run_here(dagy: Any, here: str) -> None:
    dagy("run", here)
    newest = dagy("run", here, "--json").json["run_id"]

    assert dagy("runs", "show", "--last", "--json").json["run_id"] == newest
    assert "the run succeeded" in dagy("logs", "--last", "--follow").stdout


def test_an_empty_list_is_an_answer(dagy: Any) -> None:
    assert dagy("runs", "list", "--json").json == []
    assert dagy("runs", "list", "--format", "csv").stdout == (
        "run_id,status,flow_name,flow_version,started_at,ended_at,duration_s\n"
    )


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param(["run", "nowhere.py:etl"], 5, "Flow file not found: ", id="no such file"),
        pytest.param(["run", "{file}:nope"], 7, "Flow 'nope' not found in", id="no such flow"),
        pytest.param(["run", "{file}:etl", "--param", "n=x"], 2, "Parameter 'n' expects int", id="a wrong type"),
        pytest.param(["run", "{file}:etl", "--param", "m=1"], 2, "Unknown parameter 'm'", id="an unknown parameter"),
        pytest.param(["run", "{file}:etl", "--param", "n=1", "--param", "n=2"], 2, "given twice", id="twice"),
        pytest.param(["run", "{file}:etl", "--param", "bad"], 2, "Invalid param 'bad', expected key=value", id="half"),
        pytest.param(["run", "{file}:etl", "--watch"], 2, "--watch is for remote runs", id="watching a local run"),
        pytest.param(["run", "etl", "--local"], 2, "Flow target must be in <path>:<flow_fn> format", id="a bare name"),
        pytest.param(["run", "etl"], 2, "Missing Dagy API URL. Set DAGY_API_URL or run 'dagy config'.", id="no API"),
        pytest.param(["runs", "show", "etl-2026"], 5, "Run not found: etl-2026", id="no such run"),
        pytest.param(["runs", "list", "--deployment", "x"], 2, "--deployment goes with --remote", id="no such here"),
        pytest.param(["logs", "--last"], 5, "Run not found", id="nothing has run"),
    ],
)  # fmt: skip
def test_what_cannot_run_here_is_refused(dagy: Any, project: Write, words: list[str], code: int, message: str) -> None:
    file = project(PRINTING)
    said = dagy(*[word.format(file=file) for word in words], expect=code)

    assert message in said.stderr
    assert "Traceback" not in said.stderr


def test_code_that_does_not_import_is_told_with_the_reason(dagy: Any, project: Write) -> None:
    said = dagy("run", f"{project('import nothing_of_this_name')}:etl", expect=None)

    assert said.code in (2, 7)
    assert "nothing_of_this_name" in said.stderr
    assert "Traceback" not in said.stderr


# --- in a stage ---------------------------------------------------------------------------------------------


def test_a_bare_name_runs_in_the_stage_and_prints_the_runs_id(dagy: Any, deployed: Any) -> None:
    said = dagy("run", "etl", "--param", "n=5", "--execution-mode", "large")

    run_id = said.stdout.removeprefix("Run triggered: ").strip()
    run = deployed.ports.runs.get_run(run_id)
    assert said.stdout == f"Run triggered: {run_id}\n"
    assert (dict(run.parameters), run.size.value) == ({"n": 5}, "large")
    assert f"dagy logs {run_id} --remote --follow" in said.stderr


def test_a_triggered_run_as_json_is_the_apis_answer(dagy: Any, deployed: Any) -> None:
    run = dagy("run", "etl", "--json").json

    assert {
        key: run[key] for key in ("status", "flow_name", "deployment", "execution_mode", "isolation", "trigger")
    } == {
        "status": "PENDING",
        "flow_name": "etl",
        "deployment": "etl",
        "execution_mode": "nano",
        "isolation": "in-process",
        "trigger": "manual",
    }


def test_one_idempotency_key_is_one_run(dagy: Any, deployed: Any) -> None:
    assert start(dagy, "--idempotency-key", "once") == start(dagy, "--idempotency-key", "once")


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param(["run", "nope"], 5, "Deployment not found: nope", id="no such deployment"),
        pytest.param(["run", "etl", "--param", "n=x"], 2, "Parameter 'n' expects int", id="a wrong type"),
        pytest.param(["run", "etl", "--param", "m=1"], 2, "Unknown parameter 'm'", id="an unknown parameter"),
        pytest.param(["run", "etl", "--execution-mode", "huge"], 2, "Unknown execution mode 'huge'", id="a wrong size"),
        pytest.param(["runs", "show", "etl-20260304", "--remote"], 5, "Run not found", id="no such run"),
        pytest.param(["flows", "show", "nope"], 5, "Flow not found: nope", id="no such flow"),
        pytest.param(["deployments", "show", "nope"], 5, "Deployment not found: nope", id="nothing to show"),
    ],
)
def test_what_the_stage_does_not_have_is_refused(
    dagy: Any, deployed: Any, words: list[str], code: int, message: str
) -> None:
    assert message in dagy(*words, expect=code).stderr


def when_started(stage: Any, **end: Any) -> None:
    """Play every run that is dispatched, as soon as it is."""

    class Playing:
        def to_runtime(self, size: Any, message: Any) -> None:
            stage.play(message.run_id, **end)

        def to_control(self, message: Any) -> None:
            """Nothing."""

    force_setattr(stage.ports, "dispatcher", Playing())


def test_watching_tells_tasks_and_lines_and_ends_with_the_status(dagy: Any, deployed: Any) -> None:
    when_started(deployed)

    said = dagy("run", "etl", "--watch")

    first, last = said.stdout.splitlines()
    assert first.startswith("Run triggered: etl-")
    assert last == f"Run completed: {first.split()[-1]} status=SUCCEEDED"
    told = [line for line in said.stderr.splitlines() if "-1" in line]
    assert [line.split(maxsplit=1)[1] for line in told] == [
        "SUCCEEDED extract-1  0.25s",
        "SUCCEEDED load-1  0.25s",
        "extract-1 hello from extract-1",
        "load-1 hello from load-1",
    ]


def test_waiting_for_a_run_that_fails_is_exit_8_with_the_reason(dagy: Any, deployed: Any) -> None:
    when_started(deployed, fails_with="bad row 17")

    said = dagy("run", "etl", "--wait", expect=8)
    assert said.stdout.splitlines()[-1].endswith("status=FAILED")
    assert "bad row 17" in said.stderr

    watched = dagy("run", "etl", "--watch", "--json", expect=8)
    assert watched.json["status"] == "FAILED"
    assert watched.error["code"] == "run_failed"
    assert [task["status"] for task in watched.json["tasks"]] == ["SUCCEEDED", "FAILED"]


def test_waiting_no_longer_than_asked_is_exit_9_and_the_run_goes_on(dagy: Any, deployed: Any) -> None:
    said = dagy("run", "etl", "--wait", "--timeout", "0", "--json", expect=9)

    assert said.error["code"] == "wait_timed_out"
    (run,) = dagy("runs", "list", "--remote", "--json").json
    assert run["status"] == "PENDING"


def test_a_run_of_the_stage_is_shown_with_its_tasks_log_events_and_result(dagy: Any, deployed: Any) -> None:
    run_id = start(dagy)
    deployed.play(run_id)

    shown = dagy("runs", "show", run_id, "--json").json
    assert (shown["run_id"], shown["status"], shown["result"]) == (run_id, "SUCCEEDED", 6)
    assert [task["task_run_id"] for task in shown["tasks"]] == ["extract-1", "load-1"]
    assert shown["tasks"][0]["peak_mib"] == 30.5
    text = dagy("runs", "show", run_id[:-3], "--remote").stdout
    assert f"Run: {run_id} status=SUCCEEDED flow=etl:latest" in text
    assert "Deployment: etl (nano, in-process) trigger=manual" in text

    assert [line.split(maxsplit=2)[1:] for line in dagy("logs", run_id).stdout.splitlines()] == [
        ["extract-1", "hello from extract-1"],
        ["load-1", "hello from load-1"],
    ]
    (line,) = dagy("logs", "--last", "--remote", "--task", "load-1", "--follow", "--json").json
    assert {**line, "at": ""} == {"at": "", "task_run_id": "load-1", "stream": "stdout", "line": "hello from load-1"}
    assert "run_started" in [event["type"] for event in dagy("runs", "events", run_id, "--json").json]
    assert dagy("runs", "result", run_id).stdout == "6\n"
    assert dagy("runs", "result", run_id, "--task", "load-1").stdout == "[\n  1,\n  2,\n  3\n]\n"
    dagy("runs", "result", run_id, "--output", "result.json")
    assert json.loads(Path("result.json").read_bytes()) == 6


def test_runs_of_the_stage_are_filtered_and_limited(dagy: Any, deployed: Any) -> None:
    ids = [start(dagy) for _ in range(3)]
    deployed.play(ids[0])

    def listed(*words: str) -> set[str]:
        return {run["run_id"] for run in dagy("runs", "list", "--remote", "--json", *words).json}

    assert listed() == set(ids)
    assert listed("--status", "SUCCEEDED") == {ids[0]}
    assert len(listed("--limit", "2")) == 2
    assert listed("--flow", "other") == set()
    assert listed("--deployment", "etl") == set(ids)
    header = dagy("runs", "list", "--remote").stdout.splitlines()[0]
    assert header.split() == ["run_id", "status", "started_at", "flow", "deployment", "trigger"]


def test_an_ambiguous_beginning_is_refused_with_those_it_fits(dagy: Any, deployed: Any) -> None:
    ids = [start(dagy), start(dagy)]

    said = dagy("runs", "show", ids[0][:8], "--remote", expect=2)

    assert f"2 runs begin with '{ids[0][:8]}'" in said.stderr


def test_a_run_is_cancelled_after_a_yes(dagy: Any, deployed: Any) -> None:
    run_id = start(dagy)

    refused = dagy("runs", "cancel", run_id, expect=2)
    assert f"Cancel the run {run_id}? There is no terminal to ask on: add --yes." in refused.stderr
    assert deployed.ports.runs.get_run(run_id).status.value == "PENDING"

    said = dagy("runs", "cancel", run_id, "--yes", "--json")
    assert said.json["run_id"] == run_id
    assert dagy("runs", "show", run_id, "--json").json["status"] == "CANCELLED"


def test_flows_and_deployments_are_listed_shown_paused_and_deleted(dagy: Any, deployed: Any) -> None:
    (flow,) = dagy("flows", "list", "--json").json
    assert (flow["flow_name"], flow["flow_version"]) == ("etl", "latest")
    header = dagy("flows", "list").stdout.splitlines()[0]
    assert header.split() == ["flow_name", "flow_version", "created_at", "updated_at", "artifact_s3_uri"]
    assert "Parameters: n: int" in dagy("flows", "show", "etl").stdout
    assert dagy("flows", "show", "etl:latest", "--json").json["flow_spec"]["name"] == "etl"

    assert dagy("deployments", "pause", "etl").stdout == "etl is PAUSED\n"
    assert dagy("deployments", "resume", "etl", "--json").json["status"] == "ACTIVE"
    assert [deployment["name"] for deployment in dagy("deployments", "list", "--json").json] == ["etl"]
    dagy("deployments", "delete", "etl", expect=2)
    assert dagy("deployments", "delete", "etl", "--yes").stdout == "Deleted etl\n"
    assert dagy("deployments", "list", "--json").json == []


def test_lists_go_through_all_pages(dagy: Any, deployed: Any, project: Write) -> None:
    for version in ("1", "2", "3"):
        dagy("deploy", f"{project(PRINTING)}:etl", "--flow-version", version)
    before = len(deployed.asked)

    assert len(dagy("flows", "list", "--limit", "2", "--json").json) == 4
    assert len(deployed.asked) - before == 2
    assert len(dagy("flows", "list", "--limit", "2", "--max", "1", "--json").json) == 1


# --- who is asking ------------------------------------------------------------------------------------------


def test_keys_are_made_used_listed_and_revoked(dagy: Any, stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dagy("keys", "create", "--name", "ci", "--role", "viewer", "--json").json
    assert set(made) == {"key", "id", "name", "role", "expires_at"}
    assert made["key"].startswith("dgy_")

    monkeypatch.setenv("DAGY_API_KEY", made["key"])
    assert dagy("whoami").stdout.startswith(f"ci (key {made['id']}), viewer of stage dev, until 20")
    assert dagy("keys", "list", "--json", expect=3).error["code"] == "forbidden"
    monkeypatch.delenv("DAGY_API_KEY")

    assert made["id"] in [key["id"] for key in dagy("keys", "list", "--json").json]
    assert made["key"] not in dagy("keys", "list", "--json").stdout
    dagy("keys", "revoke", made["id"], "--yes")
    monkeypatch.setenv("DAGY_API_KEY", made["key"])
    assert "APIError 401" in dagy("whoami", expect=3).stderr


def test_a_new_key_can_go_straight_into_the_profile(dagy: Any, stage: Any, home: Path) -> None:
    said = dagy("keys", "create", "--name", "mine", "--role", "developer", "--save-profile")

    assert said.stdout == "Saved in profile dev\n"
    assert dagy("whoami", "--json").json["name"] == "mine"


def test_the_first_key_is_made_with_aws_credentials(dagy: Any, stage: Any, manifest: Any, home: Path) -> None:
    dagy("config", "delete", "dev", "--yes")
    boto3.client("dynamodb", region_name="us-east-1").create_table(TableName="dagy-dev", **table_definition())
    manifest(table="dagy-dev")

    said = dagy("keys", "create", "--name", "me", "--admin", "--via-aws", "--stage", "dev", "--save-profile", "--json")

    table = Table(Clients({"AWS_REGION": "us-east-1"}), "dagy-dev")
    (stored,) = DynamoKeys(table).list_keys(limit=10).items
    assert (stored.id, stored.role.value) == (said.json["id"], "admin")
    assert stored.created_by.startswith("arn:aws:")
    (entry,) = DynamoAuditLog(table, SystemClock()).list_entries(limit=10).items
    assert (entry.action, entry.resource) == ("keys.create", f"keys/{stored.id}")
    assert (entry.actor_kind, entry.actor_name) == ("aws", stored.created_by)
    shown = dagy("config", "show", "--json").json
    assert (shown["profile"], shown["api_url"], shown["stage"]) == ("dev", stage.url, "dev")
    assert json.loads((home / "credentials").read_text())["profiles"]["dev"]["api_key"] == said.json["key"]


def test_a_stage_that_is_not_provisioned_says_how_to_provision_it(dagy: Any, stage: Any) -> None:
    said = dagy("keys", "create", "--via-aws", "--stage", "prod", "--yes", expect=5)

    assert "Stage not found: prod in us-east-1" in said.stderr
    assert "dagy infra deploy --stage prod" in said.stderr


def test_an_api_that_is_down_is_exit_4(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGY_API_URL", "http://127.0.0.1:9")

    said = dagy("flows", "list", expect=4)

    assert said.stderr == (
        "Error: APIError 0: Unable to reach Dagy API at http://127.0.0.1:9/v1. "
        "Check DAGY_API_URL/profile and network connectivity.\n"
    )


def test_a_dry_run_says_what_would_run_and_runs_nothing(dagy: Any, stage: Any, project: Write) -> None:
    flow = project()
    dagy("deploy", f"{flow}:etl")
    posted = [line for line in stage.asked if line.startswith("POST")]

    here = dagy("run", f"{flow}:etl", "--param", "n=2", "--dry-run", "--json")
    there = dagy("run", "etl", "--param", "n=2", "--dry-run", "--json")

    assert (here.json["flow_name"], here.json["parameters"], here.json["task_count"]) == ("etl", {"n": 2}, 2)
    assert (there.json["deployment"], there.json["parameters"]["n"]) == ("etl", 2)
    assert here.json["dry_run"] is there.json["dry_run"] is True
    assert dagy("run", "etl", "--dry-run").stdout == "Would run etl: etl:latest\n"
    assert dagy("run", f"{flow}:etl", "--dry-run").stdout == "Would run etl:latest here: 2 tasks\n"
    assert [line for line in stage.asked if line.startswith("POST")] == posted
    assert dagy("runs", "list", "--json").json == []


@pytest.mark.parametrize(
    "words, code",
    [
        pytest.param(["nope"], 5, id="no such deployment"),
        pytest.param(["etl", "--param", "n=x"], 2, id="a parameter of another type"),
        pytest.param(["etl", "--execution-mode", "smal"], 2, id="no such size"),
        pytest.param(["nope.py:etl"], 5, id="no such file"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(
    dagy: Any, stage: Any, project: Write, words: list[str], code: int
) -> None:
    dagy("deploy", f"{project()}:etl")

    dagy("run", *words, "--dry-run", expect=code)
