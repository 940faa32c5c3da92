"""A flow's process holds its runtime's credentials. What they open, tried from inside a flow."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.aws import Aws
from dagy_infra.local_cloud import REGION

pytestmark = pytest.mark.local_cloud

FLOW = """
from dagy import flow, task


@task
def attempt(control: str, timer: str, bucket: str, table: str) -> dict[str, str]:
    import boto3
    from botocore.exceptions import ClientError

    functions, machines, s3, dynamodb = map(boto3.client, ("lambda", "stepfunctions", "s3", "dynamodb"))
    key = {"pk": {"S": "RUN#x"}, "sk": {"S": "META"}}
    tries = {
        "start the control function": lambda: functions.invoke(FunctionName=control, InvocationType="Event"),
        "set the control function's timer": lambda: machines.start_execution(stateMachineArn=timer, input="{}"),
        "overwrite an artifact": lambda: s3.put_object(Bucket=bucket, Key="dagy/flows/f/1/artifact.zip", Body=b""),
        "overwrite state of a flow": lambda: s3.put_object(Bucket=bucket, Key="state/flows/f/1/x.json.gz", Body=b""),
        "list by an index": lambda: dynamodb.query(
            TableName=table,
            IndexName="gsi4",
            KeyConditionExpression="gsi4pk = :p",
            ExpressionAttributeValues={":p": {"S": "KEYS"}},
        ),
        "read the whole table": lambda: dynamodb.scan(TableName=table),
        "delete an item": lambda: dynamodb.delete_item(TableName=table, Key=key),
        "write a result": lambda: s3.put_object(Bucket=bucket, Key="runs/mine/x", Body=b""),
        "read a run": lambda: dynamodb.get_item(TableName=table, Key=key),
    }
    outcomes = {}
    for name, call in tries.items():
        try:
            call()
            outcomes[name] = "done"
        except ClientError as error:
            outcomes[name] = error.response["Error"]["Code"]
    return outcomes


@flow
def curious(control: str, timer: str, bucket: str, table: str):
    return attempt(control, timer, bucket, table)
"""


def test_a_flow_starts_writes_and_lists_nothing_that_is_not_of_runs(cloud: Any, dagy: Any, project: Any) -> None:
    status = cloud.status()
    if not status.enforces_iam:
        pytest.skip("this cloud lets everybody do everything")
    resources = (
        Aws(REGION, status.endpoint_url)
        .client("cloudformation")
        .describe_stack_resources(StackName="Dagy-local-App")["StackResources"]
    )
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    given = {
        "control": next(v for k, v in ids.items() if k.startswith("ControlFunction")),
        "timer": next(v for k, v in ids.items() if k.startswith("TimerMachine")),
        "bucket": status.manifest.bucket,
        "table": status.manifest.table,
    }
    dagy("deploy", f"{project(FLOW)}:curious")

    run = dagy.run_remote("curious", *(w for key, value in given.items() for w in ("--param", f"{key}={value}")))

    outcomes = run["result"]
    allowed = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert allowed == {"write a result", "read a run"}, outcomes
    assert all("AccessDenied" in outcomes[name] for name in set(outcomes) - allowed), outcomes
