"""`dagy infra` and `dagy local start` as commands: what they answer machines, and that a dry run changes nothing.

The stage `qa` is provisioned into the emulator as if it were AWS: its functions are built for Lambda and never called.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagy.aws import Aws

pytestmark = [
    pytest.mark.local_cloud,
    # With IAM enforced the emulator refuses the roles that the CDK publishes with, which a stage of AWS deploys with.
    pytest.mark.parametrize("cloud", [pytest.param(False, id="open")], indirect=True),
]


@pytest.fixture
def aws(cloud: Any) -> dict[str, str]:
    """An environment in which the emulator is AWS."""
    return {
        "AWS_ENDPOINT_URL": cloud.status().endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "DAGY_PROFILE": "",
    }


def test_a_stage_is_provisioned_changed_with_its_data_in_it_looked_at_and_destroyed_by_commands_that_answer_in_json(
    dagy: Any, aws: dict[str, str]
) -> None:
    def infra(*words: str, expect: int = 0) -> Any:
        return dagy("infra", *words, "--stage", "qa", expect=expect, env=aws)

    told = ("--set", "log_retention_days=7", "--set", "tags=team=data", "--sizes", "nano,small")
    planned = infra("deploy", *told, "--dry-run", "--json").json
    assert (planned["stage"], planned["dry_run"]) == ("qa", True)
    assert "[+] AWS::DynamoDB::GlobalTable" in planned["diff"]
    assert "no terminal to ask on: add --yes" in infra("deploy", expect=2).stderr
    assert "dagy infra deploy --stage qa" in infra("status", expect=5).stderr

    made = infra("deploy", *told, "--yes", "--json").json
    assert (made["stage"], made["profile"], made["region"]) == ("qa", "qa", "us-east-1")
    assert made["api_url"] == dagy("config", "show", "-p", "qa", "--json").json["api_url"]
    assert logs_kept_for(aws) == {7}
    put_data(aws, made)
    infra("deploy", "--set", "log_retention_days=30", "--yes")
    assert logs_kept_for(aws) == {30}
    assert data_of(aws, made) == ("kept", b"kept")
    assert told_of(aws) == {"log_retention_days": "30", "tags": '{"team": "data"}'}
    assert infra("outputs", "--json").json["Sizes"] == "nano,small", "which a deploy that names none keeps"

    again = infra("diff", "--json").json
    assert (again["stage"], again["diff"].count("There were no differences")) == ("qa", 2)
    assert again["diff"].lstrip().startswith("Stack Dagy-qa-Data")
    assert [stack["status"] for stack in infra("status", "--json").json] == ["CREATE_COMPLETE", "UPDATE_COMPLETE"]
    assert infra("outputs", "--json").json["Bucket"] == made["bucket"]

    ssm = Aws("us-east-1", aws["AWS_ENDPOINT_URL"]).client("ssm")
    manifest = json.loads(ssm.get_parameter(Name="/dagy/qa/manifest")["Parameter"]["Value"])
    newer = json.dumps({**manifest, "stack_version": "99.0.0"})
    ssm.put_parameter(Name="/dagy/qa/manifest", Value=newer, Type="String", Overwrite=True)
    refused = infra("deploy", "--yes", expect=6).stderr
    assert "Stage qa was deployed by Dagy 99.0.0, which is newer than this" in refused
    assert "no terminal to ask on: add --yes" in infra("deploy", "--downgrade", expect=2).stderr

    preview = infra("destroy", "--dry-run", "--json").json
    assert (preview["dry_run"], preview["deletes_data"]) == (True, False)
    assert len(infra("status", "--json").json) == 2
    assert infra("destroy", "--yes", "--json").json == {"stage": "qa", "left": ["Dagy-qa-Data"]}


def client(aws: dict[str, str], service: str) -> Any:
    return Aws(aws["AWS_REGION"], aws["AWS_ENDPOINT_URL"]).client(service)


def logs_kept_for(aws: dict[str, str]) -> set[int]:
    """Days, of every log of the stage."""
    groups = client(aws, "logs").describe_log_groups()["logGroups"]
    return {group["retentionInDays"] for group in groups if "qa" in group["logGroupName"]}


def put_data(aws: dict[str, str], made: Any) -> None:
    key = {"pk": {"S": "FLOW#kept"}, "sk": {"S": "V#1"}}
    client(aws, "dynamodb").put_item(TableName=made["table"], Item={**key, "word": {"S": "kept"}})
    client(aws, "s3").put_object(Bucket=made["bucket"], Key="dagy/flows/kept", Body=b"kept")


def data_of(aws: dict[str, str], made: Any) -> tuple[str, bytes]:
    key = {"pk": {"S": "FLOW#kept"}, "sk": {"S": "V#1"}}
    item = client(aws, "dynamodb").get_item(TableName=made["table"], Key=key)["Item"]
    object = client(aws, "s3").get_object(Bucket=made["bucket"], Key="dagy/flows/kept")
    return item["word"]["S"], object["Body"].read()


def told_of(aws: dict[str, str]) -> dict[str, str]:
    """What the stage remembers having been told."""
    answer = client(aws, "ssm").get_parameter(Name="/dagy/qa/settings")
    return dict(json.loads(answer["Parameter"]["Value"]))


def test_templates_are_written_without_asking_aws(dagy: Any) -> None:
    folder = Path(
        dagy("infra", "synth", "--stage", "qa", "--json", env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}).json["folder"]
    )

    templates = [json.loads((folder / f"Dagy-qa-{part}.template.json").read_text()) for part in ("Data", "App")]
    assert all("Resources" in template for template in templates)


def test_the_local_cloud_says_where_it_is_in_every_format(dagy: Any, cloud: Any) -> None:
    facts = dagy("local", "start", "--json").json

    assert (facts["running"], facts["profile"]) == (True, "local")
    assert facts["endpoint_url"] == cloud.status().endpoint_url
    assert yaml.safe_load(dagy("local", "status", "--format", "yaml").stdout) == facts
    assert json.loads(dagy("local", "status", "--format", "jsonl").stdout) == facts
    assert dagy("local", "status", "--format", "csv").stdout.splitlines()[0] == ",".join(facts)
    assert f"  AWS   {facts['endpoint_url']}" in dagy("local", "status").stdout
