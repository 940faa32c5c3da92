"""What a stage can be told to be like: how it is written, what cannot be, and who remembers it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import boto3
import pytest
from moto import mock_aws

from dagy.aws import Aws
from dagy.core.errors import InvalidInput
from dagy_infra.app import stage_from_context
from dagy_infra.provision import Place, standing_settings
from dagy_infra.settings import RETENTION_DAYS, Settings, parse_assignments, parse_settings
from dagy_infra.stages import Emulator, stage_config

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_every_setting_can_be_said_in_words_and_read_back(tailored) -> None:
    settings = tailored.stage.settings
    assert {f.name for f in fields(Settings)} == set(settings.given())
    assert parse_settings(settings.given()) == settings
    assert parse_settings(json.loads(json.dumps(settings.given()))) == settings


def test_json_may_use_its_own_values() -> None:
    said = parse_settings({"tracing": True, "run_retention_days": 9, "tags": {"team": "data"}, "alarms": False})
    assert said == parse_settings(
        {"tracing": "true", "run_retention_days": "9", "tags": "team=data", "alarms": "false"}
    )
    assert parse_settings({"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]}).subnet_ids == (
        "subnet-1",
        "subnet-2",
    )


@pytest.mark.parametrize(
    "given, says",
    [
        pytest.param({"trace": "true"}, "no setting 'trace'", id="an unknown name"),
        pytest.param({"tracing": "yes"}, "tracing cannot be 'yes'", id="neither true nor false"),
        pytest.param({"log_retention_days": "10"}, "cannot be kept for 10 days", id="not a retention of CloudWatch"),
        pytest.param({"run_retention_days": "0"}, "cannot be 0", id="no day at all"),
        pytest.param({"run_retention_days": "a week"}, "cannot be 'a week'", id="no number"),
        pytest.param({"kms_key_arn": "alias/mine"}, "kms_key_arn cannot be", id="an alias is no key"),
        pytest.param({"vpc_id": "vpc-1"}, "vpc_id means nothing without subnet_ids", id="a VPC without subnets"),
        pytest.param({"security_group_ids": "sg-1"}, "without vpc_id", id="a security group without a VPC"),
        pytest.param({"domain_name": "a.example.com"}, "without certificate_arn", id="a domain without a certificate"),
        pytest.param({"domain_name": "-a-.com", "certificate_arn": "x"}, "domain_name cannot be", id="no domain"),
        pytest.param({"permissions_boundary": "a b"}, "permissions_boundary cannot be", id="no policy's name"),
        pytest.param({"tags": "aws:team=x"}, "not yours to set", id="a tag of AWS's"),
        pytest.param({"tags": "dagy:stage=x"}, "not yours to set", id="a tag of ours"),
        pytest.param({"tags": "team=a;b"}, "AWS takes no tag", id="a character that tags cannot have"),
        pytest.param({"tags": "{"}, "tags cannot be read", id="half of JSON"),
        pytest.param({"tags": {f"t{n}": "x" for n in range(41)}}, "41 tags are too many", id="too many tags"),
        pytest.param(
            {"alarms": "false", "alarm_topic_arn": "arn:aws:sns:us-east-1:123456789012:x"}, "alarms=false", id="at odds"
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name_with_what_can(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        parse_settings(given)
    assert refused.value.hint


def test_a_setting_without_a_value_is_taken_back() -> None:
    standing = {"tracing": "true", "run_retention_days": "9"}
    told = parse_settings({**standing, **parse_assignments(("tracing=", "alarms=true"))})
    assert told == Settings(run_retention_days=9, alarms=True)
    with pytest.raises(InvalidInput, match="says no value"):
        parse_assignments(("tracing",))


def test_what_nobody_says_is_as_the_stages_kind_has_it() -> None:
    assert not stage_config("dev").has_alarms and not stage_config("dev").has_dashboard
    assert stage_config("prod").has_alarms and stage_config("prod").has_dashboard
    assert not stage_config("prod").has_tracing
    quiet = stage_config("prod", settings=Settings(alarms=False, log_retention_days=7))
    assert (quiet.has_alarms, quiet.log_retention_days, quiet.run_retention_days) == (False, 7, 180)
    paged = stage_config("dev", settings=Settings(alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:x"))
    assert paged.has_alarms  # a topic without alarms would never be told anything


def test_stages_of_one_cdk_json_have_settings_of_their_own() -> None:
    context = {
        "stages": {"prod": {"tracing": True, "sizes": ["nano"]}, "qa": {"alarms": False}},
        "run_retention_days": "9",
    }
    prod = stage_from_context({**context, "stage": "prod"}, {})
    assert (prod.has_tracing, prod.run_retention_days, [s.value for s in prod.sizes]) == (True, 9, ["nano"])
    assert not stage_from_context({**context, "stage": "qa"}, {}).has_alarms
    by_hand = stage_from_context({**context, "stage": "prod", "tracing": "false", "sizes": "micro"}, {})
    assert (by_hand.has_tracing, [s.value for s in by_hand.sizes]) == (False, ["micro"])


def test_the_local_cloud_takes_no_settings() -> None:
    with pytest.raises(InvalidInput, match="local cloud"):
        stage_config("local", emulator=Emulator("http://127.0.0.1:1"), settings=Settings(tracing=True))


def test_every_retention_is_one_that_cloudwatch_knows() -> None:
    from dagy_infra.constructs.function import RETENTION

    assert tuple(RETENTION) == RETENTION_DAYS


def test_the_cdk_is_told_the_settings_in_the_words_they_came_in() -> None:
    settings = parse_settings({"kms_key_arn": KEY, "tags": "team=data,note=a=b"})
    words = Place(stage_config("prod", settings=settings), Aws("us-east-1")).context()
    context = dict(word.split("=", 1) for word in words[1::2])
    assert stage_from_context(context, {}).settings == settings


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


def test_a_stage_remembers_what_it_was_told(ssm: Any, tailored) -> None:
    """Or a deploy without a word about it would move the data off their key."""
    place = Place(stage_config("prod"), Aws("us-east-1"))
    assert standing_settings(place) == {}
    [parameter] = [
        r["Properties"] for key, r in tailored.resources("AWS::SSM::Parameter") if key.startswith("Settings")
    ]
    ssm.put_parameter(Name=parameter["Name"], Type="String", Value=parameter["Value"])
    assert parse_settings(standing_settings(place)) == tailored.stage.settings


def test_a_stage_that_was_told_nothing_remembers_nothing(prod) -> None:
    assert not [key for key, _ in prod.resources("AWS::SSM::Parameter") if key.startswith("Settings")]
