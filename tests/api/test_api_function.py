"""The Lambda handler: API Gateway's event in, its answer out, in a process of its own as on Lambda."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "DAGY_STAGE": "dev",
    "DAGY_TABLE": "dagy",
    "DAGY_BUCKET": "dagy-artifacts",
    "DAGY_RUNTIMES": '{"nano": "dagy-nano"}',
    "DAGY_CONTROL_FUNCTION": "dagy-control",
    "DAGY_TIMER_STATE_MACHINE": "arn:aws:states:us-east-1:000000000000:stateMachine:dagy",
    "DAGY_SCHEDULE_GROUP": "dagy",
    "DAGY_SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/dagy",
    "DAGY_CONTROL_FUNCTION_ARN": "arn:aws:lambda:us-east-1:000000000000:function:dagy-control",
}


def event(method: str, path: str, **headers: str) -> dict[str, Any]:
    """A request as an HTTP API hands it over, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc.execute-api.us-east-1.amazonaws.com", "x-forwarded-proto": "https", **headers},
        "requestContext": {
            "stage": "$default",
            "requestId": "r",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t"},
        },
        "isBase64Encoded": False,
    }


PROGRAM = """
import json, sys
from dagy_runtime.entrypoints.api import handler
loaded = sorted({"boto3", "botocore", "duckdb", "yaml", "click", "tabulate", "aws_cdk"} & set(sys.modules))
answers = [handler(event, None) for event in json.load(sys.stdin)]
print(json.dumps({"loaded": loaded, "answers": answers}))
"""


def test_the_handler_answers_and_loads_nothing_heavy_before_it_must() -> None:
    events = [
        event("GET", "/v1/health"),
        event("GET", "/v1/runs"),
        event("GET", "/nowhere"),
        event("OPTIONS", "/v1/runs"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(events),
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    printed = json.loads(done.stdout)
    assert printed["loaded"] == []
    health, runs, nowhere, options = printed["answers"]
    assert health["statusCode"] == 200 and json.loads(health["body"])["stage"] == "dev"
    assert health["headers"]["x-content-type-options"] == "nosniff" and health["isBase64Encoded"] is False
    assert runs["statusCode"] == 401 and json.loads(runs["body"])["error"]["code"] == "unauthenticated"
    assert nowhere["statusCode"] == 404
    assert options["statusCode"] == 204 and options["headers"]["allow"] == "GET, HEAD, OPTIONS, POST"
