"""`dagy deploy`, against a stage."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.sizes import Size

BUCKET = "dagy-artifacts-123456789012-us-east-1"
FROM_ENV = {"DAGY_ARTIFACT_BUCKET": "from-env"}
Write = Callable[..., str]


def test_a_first_deploy_builds_uploads_registers_and_says_where(dagy: Any, stage: Any, project: Write) -> None:
    said = dagy("deploy", f"{project()}:etl", "--tag", "team=data", "--execution-mode", "small")

    assert said.stdout == f"Deployed to s3://{BUCKET}/dagy/flows/etl/latest/artifact.zip and registered as etl:latest\n"
    titles = [line.split()[1] for line in said.stderr.splitlines() if line.startswith("  ✓")]
    assert titles == ["Loaded", "Checked", "Built", "Uploaded", "Registered", "Deployment"]
    assert "Next:  dagy run etl --watch" in said.stderr
    deployment = stage.ports.registry.get_deployment("etl")
    assert (deployment.size.value, dict(deployment.tags)) == ("small", {"team": "data"})


def test_what_is_registered_is_the_uploaded_object_byte_for_byte(dagy: Any, stage: Any, project: Write) -> None:
    dagy("build", f"{project()}:etl", "--output-dir", "dist")
    dagy("deploy", "dist/artifact.zip", "--deployment", "my-etl", "--flow-version", "1.2.0")

    flow = stage.ports.registry.get_flow("etl", "1.2.0")
    stored = stage.s3.get_object(Bucket=BUCKET, Key=flow.artifact.key, VersionId=flow.artifact.version_id)[
        "Body"
    ].read()
    local = Path("dist/artifact.zip").read_bytes()
    assert stored == local
    assert flow.artifact.sha256 == hashlib.sha256(local).hexdigest()
    assert flow.spec.version == "1.2.0"
    assert stage.ports.registry.get_deployment("my-etl").flow_version == "1.2.0"


def test_the_same_code_again_is_skipped_without_asking_aws_for_anything(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target)
    before = len(stage.asked)

    said = dagy("deploy", target)

    first, local, remote, last = said.stdout.splitlines()
    assert first == "No code changes detected (code_hash unchanged). Skipping deployment."
    assert local.startswith("Local: ")
    assert remote == local.replace("Local", "Remote")
    assert last == "Use --force to deploy anyway."
    assert stage.uploads == 1
    assert [line.split()[0] for line in stage.asked[before:]] == ["GET", "GET"]


def test_force_deploys_the_same_code_and_keeps_the_settings(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target, "--execution-mode", "large", "--schedule", "0 6 * * *", "--timezone", "Europe/Athens")

    dagy("deploy", target, "--force")

    deployment = stage.ports.registry.get_deployment("etl")
    assert stage.uploads == 2
    assert deployment.deployment_version == 2
    assert (deployment.size.value, deployment.schedule.expression) == ("large", "0 6 * * *")


def test_a_flow_that_was_registered_without_a_hash_is_deployed_as_ever(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target)
    flow = stage.ports.registry.get_flow("etl", "latest")
    stage.ports.registry.put_flow(replace(flow, code_hash=None))

    said = dagy("deploy", target)

    assert "Skipping" not in said.stdout and stage.uploads == 2
    assert stage.ports.registry.get_flow("etl", "latest").code_hash == flow.code_hash


def test_changed_settings_are_sent_without_an_upload(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target, "--schedule", "0 6 * * *")

    said = dagy("deploy", target, "--status", "PAUSED", "--execution-mode", "xlarge", "--json")
    deployment = stage.ports.registry.get_deployment("etl")
    assert said.json["skipped"] is True
    assert said.json["changes"] == ["execution_mode nano → xlarge", "status ACTIVE → PAUSED"]
    assert (deployment.status.value, deployment.size.value, stage.uploads) == ("PAUSED", "xlarge", 1)
    assert deployment.schedule.timezone == "America/New_York"

    said = dagy("deploy", target, "--execution-mode", "nano")
    flow, code = said.stdout.splitlines()
    assert flow == "Deployment etl is set up with etl:latest (execution_mode xlarge → nano)."
    assert code.startswith("The code is unchanged (code_hash ")
    assert "Skipping" not in said.stdout


def test_an_artifact_that_is_gone_is_uploaded_again(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target)
    artifact = stage.ports.registry.get_flow("etl", "latest").artifact
    stage.s3.delete_object(Bucket=BUCKET, Key=artifact.key, VersionId=artifact.version_id)

    said = dagy("deploy", target)

    assert "the deployed artifact is gone from its bucket" in said.stderr
    assert "and registered as etl:latest" in said.stdout
    assert stage.uploads == 1
    assert stage.ports.registry.get_flow("etl", "latest").artifact.version_id != artifact.version_id
    assert "Skipping" in dagy("deploy", target).stdout


def test_data_files_that_a_deploy_forgets_are_named(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    Path("data").mkdir()
    for name in ("x", "y"):
        Path(f"data/{name}.csv").write_text(name)
    dagy("deploy", target, "--include", "data/*.csv")

    said = dagy("deploy", target, "--json")

    assert "Warning: 2 files of the deployed artifact are not in this one: data/x.csv, data/y.csv. " in said.stderr
    assert "-2 files (data/x.csv, data/y.csv)" in said.json["changes"]
    again = dagy("deploy", target, "--include", "data/*.csv", "--json")
    assert "Warning" not in again.stderr
    assert "+2 files (data/x.csv, data/y.csv)" in again.json["changes"]


def test_on_a_terminal_a_deploy_that_forgets_data_files_asks(
    dagy: Any, stage: Any, project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    target = f"{project()}:etl"
    Path("rows.csv").write_text("1")
    dagy("deploy", target, "--include", "rows.csv")

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    dagy("deploy", target, expect=1)
    assert stage.uploads == 1

    dagy("deploy", target, "--yes")
    assert stage.uploads == 2


def test_a_deployed_artifact_that_cannot_be_read_stops_no_deploy(
    dagy: Any, stage: Any, project: Write, tmp_path: Path
) -> None:
    dagy("deploy", f"{project()}:etl")
    artifact = stage.ports.registry.get_flow("etl", "latest").artifact
    body = b"overwritten, in a bucket without versions"
    stage.s3.put_object(Bucket=BUCKET, Key="other.zip", Body=body)
    flow = replace(
        stage.ports.registry.get_flow("etl", "latest"), artifact=replace(artifact, key="other.zip", version_id=None)
    )
    stage.ports.registry.put_flow(flow)

    said = dagy("deploy", f"{project()}:etl", "--force", "--json")

    assert said.json["changes"] == ["files not compared (The deployed file is no artifact: File is not a zip file)"]
    assert stage.uploads == 3


def test_a_deploy_says_what_changed_in_the_plan(dagy: Any, stage: Any, project: Write, tmp_path: Path) -> None:
    dagy("build", f"{project()}:etl", "--output-dir", "one")
    changed = (
        Path(project()).read_text().replace("timeout_seconds=60", "timeout_seconds=120")
        .replace("load(extract(source))", "load(dedupe(extract(source)))")
        .replace("@flow", "@task\ndef dedupe(rows):\n    return rows\n\n@flow")
        .replace("n: int = 1", "n: int = 2")
    )  # fmt: skip
    dagy("build", f"{project(changed, 'changed_plan')}:etl", "--output-dir", "two")
    dagy("deploy", "one/artifact.zip")

    changes = dagy("deploy", "two/artifact.zip", "--json").json["changes"]

    assert changes[0].startswith("code ")
    assert changes[1:-2] == ["+1 task (dedupe)", "timeout load 60.0 → 120.0", "task runs 2 → 3", "default of n 1 → 2"]
    assert [change[:7] for change in changes[-2:]] == ["+1 file", "-1 file"]


def test_a_schedule_tells_when_it_fires_next_in_its_own_zone(dagy: Any, stage: Any, project: Write) -> None:
    said = dagy("deploy", f"{project()}:etl", "--schedule", "0 6 * * 1-5", "--timezone", "Asia/Tokyo")

    (line,) = [line for line in said.stderr.splitlines() if "Schedule" in line]
    assert line.startswith("  · Schedule   0 6 * * 1-5 Asia/Tokyo · next: ")
    assert line.count("06:00 JST") == 2
    spec, is_enabled = stage.ports.schedules.get("etl")
    assert (spec.expression, spec.timezone, is_enabled) == ("0 6 * * 1-5", "Asia/Tokyo", True)


def test_no_schedule_removes_it(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project()}:etl"
    dagy("deploy", target, "--schedule", "rate(1 hour)")

    dagy("deploy", target, "--no-schedule")

    assert stage.ports.schedules.get("etl") is None
    assert stage.ports.registry.get_deployment("etl").schedule is None


def test_a_dry_run_shows_the_steps_and_writes_nothing(dagy: Any, stage: Any, project: Write) -> None:
    said = dagy("deploy", f"{project()}:etl", "--schedule", "0 6 * * *", "--dry-run", "--json")

    assert said.json["dry_run"] is True
    assert said.json["artifact_s3_uri"] == f"s3://{BUCKET}/dagy/flows/etl/latest/artifact.zip"
    assert "Nothing was done" in said.stderr
    assert stage.uploads == 0
    assert stage.ports.registry.latest_flow("etl") is None
    assert [line.split()[0] for line in stage.asked] == ["GET"] * len(stage.asked)


def test_the_namespace_is_the_files_folder_unless_given(dagy: Any, stage: Any, project: Write) -> None:
    target = f"{project(name='data/ingestion/load_orders_ns')}:etl"
    dagy("deploy", target)
    assert stage.ports.registry.get_flow("etl", "latest").namespace == "data/ingestion"

    dagy("deploy", target, "--flow-version", "2", "--namespace", "billing")
    assert stage.ports.registry.get_flow("etl", "2").namespace == "billing"


def test_a_path_holding_one_flow_is_enough(dagy: Any, stage: Any, project: Write) -> None:
    assert "registered as etl:latest" in dagy("deploy", project()).stdout


def test_without_an_api_the_artifact_is_only_uploaded(dagy: Any, stage: Any, project: Write) -> None:
    dagy("config", "delete", "dev", "--yes")

    said = dagy("deploy", f"{project()}:etl", "--bucket", BUCKET, "--prefix", "mine")

    assert said.stdout == f"Deployed to s3://{BUCKET}/mine/flows/etl/latest/artifact.zip\n"
    assert stage.uploads == 1
    assert stage.ports.registry.latest_flow("etl") is None


@pytest.mark.parametrize(
    "env, in_manifest, options, bucket",
    [
        pytest.param(FROM_ENV, "from-manifest", ["--bucket", "from-flag"], "from-flag", id="--bucket"),
        pytest.param(FROM_ENV, "from-manifest", [], "from-env", id="DAGY_ARTIFACT_BUCKET"),
        pytest.param({}, "from-manifest", [], "from-manifest", id="the manifest"),
        pytest.param({}, None, [], BUCKET, id="the account and region"),
    ],
)  # fmt: skip
def test_the_bucket_is_found(
    dagy: Any, manifest: Any, project: Write, monkeypatch: Any, env: dict[str, str], in_manifest: str | None,
    options: list[str], bucket: str,
) -> None:  # fmt: skip
    monkeypatch.delenv("DAGY_ARTIFACT_BUCKET")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if in_manifest:
        manifest(bucket=in_manifest)

    said = dagy("deploy", f"{project()}:etl", "--dry-run", "--json", *options)

    assert said.json["artifact_s3_uri"] == f"s3://{bucket}/dagy/flows/etl/latest/artifact.zip"


@pytest.mark.parametrize(
    "options, code, message",
    [
        pytest.param(["--schedule", "61 * * * *"], 2, "61", id="a cron expression that cannot be"),
        pytest.param(["--schedule", "0 6 * * *", "--timezone", "Mars/Phobos"], 2, "Mars/Phobos", id="an unknown zone"),
        pytest.param(["--schedule", "at(2001-01-01T00:00:00)"], 2, "past", id="a time that is gone"),
        pytest.param(["--timezone", "Europe/Athens"], 2, "needs a schedule", id="a zone without a schedule"),
        pytest.param(["--no-schedule", "--schedule", "0 6 * * *"], 2, "contradicts", id="with and without a schedule"),
        pytest.param(["--execution-mode", "huge"], 2, "huge", id="an unknown size"),
        pytest.param(["--execution-mode", "nano", "--execution-mode", "large"], 2, "contradicts", id="two sizes"),
        pytest.param(["--schedule", ""], 2, "The schedule is empty", id="an empty schedule"),
        pytest.param(["--schedule", "0 6 * * *", "--timezone", " "], 2, "zone is empty", id="an empty zone"),
        pytest.param(["--tag", f"team={'x' * 257}"], 2, f"Invalid tag 'team' with the value '{'x' * 50}…'",
                     id="a tag that is too long"),
        pytest.param(["--status", "ASLEEP"], 2, "ASLEEP", id="an unknown status"),
        pytest.param(["--default-executor", "k8s"], 2, "k8s", id="an unknown executor"),
        pytest.param(["--tag", "team"], 2, "Invalid tag 'team', expected key=value", id="a tag without a value"),
        pytest.param(["--deployment", "a/b"], 2, "Invalid deployment name", id="a name that is a path"),
        pytest.param(["--namespace", "/abs"], 2, "Invalid namespace", id="a namespace that is absolute"),
        pytest.param(["--dep-packages", "pandas"], 2, "Invalid dependency package 'pandas'", id="a package's name"),
        pytest.param(["--flow-name", "other"], 2, "Artifact flow spec mismatch. Expected other:latest, got etl:latest",
                     id="another flow"),
        pytest.param(["--param", "source"], 2, "Invalid param 'source', expected key=value", id="half a parameter"),
        pytest.param(["--param", "nope=1"], 2, "Unknown parameter 'nope'", id="an unknown parameter"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_nothing_is_written(
    dagy: Any, stage: Any, project: Write, options: list[str], code: int, message: str
) -> None:
    said = dagy("deploy", f"{project()}:etl", *options, expect=code)

    assert message in said.stderr
    assert "Traceback" not in said.stderr
    assert stage.uploads == 0
    assert stage.ports.registry.latest_flow("etl") is None


ON_ECS = """\
from dagy import flow, task

@task(executor="ecs")
def work():
    return 1

@flow
def etl():
    return work()
"""


@pytest.mark.parametrize("sizes", [(Size.NANO, Size.SMALL)])
@pytest.mark.parametrize(
    "source, options, message",
    [
        pytest.param(None, ["--execution-mode", "xlarge"], "Stage 'dev' has no size 'xlarge'", id="a size"),
        pytest.param(None, ["--default-executor", "ecs"], "--set fargate=true", id="an executor"),
        pytest.param(ON_ECS, [], "Task 'work' wants executor 'ecs'", id="a task's executor"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["for good", "dry run"])
def test_what_the_stage_does_not_have_is_refused_before_anything_is_uploaded(
    dagy: Any, stage: Any, project: Write, source: str | None, options: list[str], message: str, dry: list[str]
) -> None:
    target = f"{project(source) if source else project()}:etl"

    said = dagy("deploy", target, *options, *dry, expect=None)

    assert said.code in (2, 7)
    assert message in said.stderr
    assert stage.uploads == 0
    assert [line.split()[0] for line in stage.asked] == ["GET"] * len(stage.asked)


def test_a_pinned_version_cannot_be_deployed_as_another(dagy: Any, stage: Any, project: Write) -> None:
    source = Path(project()).read_text().replace("@flow", '@flow(version="1.0.0")')
    target = f"{project(source, 'pinned_flow')}:etl"

    said = dagy("deploy", target, "--flow-version", "2.0.0", expect=2)
    assert "Artifact flow spec mismatch. Expected etl:2.0.0, got etl:1.0.0" in said.stderr

    assert "registered as etl:1.0.0" in dagy("deploy", target, "--flow-version", "1.0.0").stdout


def test_a_schedule_of_a_flow_that_needs_parameters_is_refused_before_the_upload(
    dagy: Any, stage: Any, project: Write
) -> None:
    source = Path(project()).read_text().replace('source: str = "here"', "source: str")

    said = dagy("deploy", f"{project(source, 'needs_parameters')}:etl", "--schedule", "0 6 * * *", expect=2)

    assert "Missing parameter 'source'" in said.stderr
    assert stage.uploads == 0


@pytest.mark.parametrize(
    "content, code, message",
    [
        pytest.param(None, 5, "Make one with: dagy build", id="missing"),
        pytest.param(b"not a zip", 2, "rtifact", id="not a zip"),
    ],
)
def test_an_artifact_that_cannot_be_trusted_is_refused(
    dagy: Any, stage: Any, content: bytes | None, code: int, message: str
) -> None:
    if content is not None:
        Path("a.zip").write_bytes(content)

    said = dagy("deploy", "a.zip", expect=code)

    assert message in said.stderr
    assert stage.uploads == 0


def test_a_bucket_that_does_not_exist_is_named(dagy: Any, stage: Any, project: Write) -> None:
    said = dagy("deploy", f"{project()}:etl", "--bucket", "nobody-has-this-one", expect=5)

    assert "nobody-has-this-one" in said.stderr
    assert stage.ports.registry.latest_flow("etl") is None


def test_a_viewer_may_not_deploy(dagy: Any, stage: Any, project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGY_API_KEY", stage.key("viewer"))

    said = dagy("deploy", f"{project()}:etl", "--json", expect=3)

    assert said.error["code"] == "forbidden"
    assert "'viewer' has the role viewer on stage dev; deploying takes developer" in said.error["message"]
    assert stage.uploads == 0
    assert dagy("deploy", f"{project()}:etl", "--dry-run", "--json").json["dry_run"] is True
