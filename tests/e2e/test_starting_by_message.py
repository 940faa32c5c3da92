"""Runs started by a message to the control function, as EventBridge or a function of somebody's own sends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dagy.aws import Aws
from dagy_infra.local_cloud import REGION

pytestmark = pytest.mark.local_cloud

FLOW = """
from dagy import flow, task


@task
def double(number: int) -> int:
    return 2 * number


@flow
def doubled(number: int):
    return double(number)
"""


@pytest.fixture
def send(cloud: Any) -> Callable[..., int]:
    """Send it without an API key, and wait for nothing; the HTTP status."""
    aws = Aws(REGION, cloud.status().endpoint_url)
    resources = aws.client("cloudformation").describe_stack_resources(StackName="Dagy-local-App")["StackResources"]
    [control] = [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
        and resource["LogicalResourceId"].startswith("ControlFunction")
    ]

    def send(**message: Any) -> int:
        payload = json.dumps({"v": 1, "kind": "start-run", **message}).encode()
        sent = aws.client("lambda").invoke(FunctionName=control, InvocationType="Event", Payload=payload)
        return int(sent["StatusCode"])

    return send


def test_a_message_starts_one_run_however_often_it_comes(dagy: Any, project: Any, send: Any) -> None:
    dagy("deploy", f"{project(FLOW)}:doubled")
    for _ in range(3):
        assert send(deployment="doubled", parameters={"number": 21}, idempotency_key="order-4711") == 202
    assert send(deployment="doubled", parameters={"number": 4}, idempotency_key="order-4712") == 202

    def ended() -> Any:
        runs = dagy("runs", "list", "--remote", "--deployment", "doubled", "--json").json
        return len(runs) >= 2 and all(run["status"] == "SUCCEEDED" for run in runs) and runs

    runs = dagy.eventually(ended, within_s=30)
    assert sorted(dagy.show(run["run_id"])["result"] for run in runs) == [8, 42]


def test_a_message_for_a_deployment_that_is_not_there_yet_is_kept_and_replayed_when_it_is(
    dagy: Any, project: Any, send: Any
) -> None:
    assert send(deployment="late", parameters={"number": 21}) == 202

    def kept() -> Any:
        letters = dagy("dead-letters", "list", "--json").json
        return [letter["id"] for letter in letters if letter["deployment"] == "late"]

    [letter_id] = dagy.eventually(kept, within_s=60)
    refused = dagy("dead-letters", "replay", letter_id, expect=5)
    assert "Deployment not found: late" in refused.stderr

    dagy("deploy", f"{project(FLOW)}:doubled", "--deployment", "late")
    run_id = dagy("dead-letters", "replay", letter_id, "--json").json["replayed_as"]
    assert dagy.wait_for_end(run_id)["result"] == 42
    assert dagy("dead-letters", "replay", letter_id, "--json").json["replayed_as"] == run_id
