"""Starts a run of a deployment for what arrived. Holds no API key: its role may invoke Dagy's control function."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> None:
    message = {
        "v": 1,
        "kind": "start-run",
        "deployment": os.environ["DEPLOYMENT"],
        "parameters": event.get("parameters", {}),
        # The same event delivered twice makes one run.
        "idempotency_key": event["id"],
    }
    boto3.client("lambda").invoke(
        FunctionName=os.environ["DAGY_CONTROL_FUNCTION"], InvocationType="Event", Payload=json.dumps(message)
    )
