"""Write down what a stage of this version keeps and answers, so that later versions can be tried on it.

    .venv/bin/python tests/contracts/recording.py tests/contracts/recorded/NAME.json

The file has the table's items as DynamoDB returns them, the bucket's objects, and the answer to each GET of the API.
What was recorded is never recorded again: a stage that was deployed then still looks like it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

from moto import mock_aws

from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy_runtime.adapters import aws
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.api.app import create_app
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.ports import Ports
from dagy_runtime.values import Event, Role, Status, TaskRun

Client = runpy.run_path(str(Path(__file__).parents[1] / "api" / "conftest.py"))["Client"]
NAME = "dagy-recorded"
ENVIRON = {
    "AWS_REGION": "us-east-1",
    "DAGY_STAGE": "test",
    "DAGY_TABLE": NAME,
    "DAGY_BUCKET": NAME,
    "DAGY_RUNTIMES": '{"nano": "dagy-nano"}',
    "DAGY_CONTROL_FUNCTION": "dagy-control",
    "DAGY_TIMER_STATE_MACHINE": "arn:aws:states:us-east-1:000000000000:stateMachine:none",
    "DAGY_SCHEDULE_GROUP": NAME,
    "DAGY_SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/dagy-schedules",
    "DAGY_CONTROL_FUNCTION_ARN": "arn:aws:lambda:us-east-1:000000000000:function:dagy-control",
}
GETS = (
    "/whoami", "/stage", "/health", "/flows", "/flows/etl/1.0", "/deployments", "/deployments/daily", "/runs",
    "/runs/{run}", "/runs/{run}/tasks", "/runs/{run}/tasks/load-1/result", "/runs/{run}/events", "/runs/{run}/logs",
    "/keys",
)  # fmt: skip


def make_world() -> tuple[Ports, Clients]:
    clients = Clients(ENVIRON)
    clients.get("dynamodb").create_table(TableName=NAME, **schema.table_definition())
    clients.get("s3").create_bucket(Bucket=NAME)
    clients.get("s3").put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    clients.get("scheduler").create_schedule_group(Name=NAME)
    return aws.world(ENVIRON), clients


def live(ports: Ports) -> tuple[Any, str, str]:
    """A flow of two tasks, deployed twice, and a run with a large parameter that has come to its first task.

    Returns: a client of the app, its admin key and the run's id.
    """
    app = create_app(ports, stage="test", version="0.1.0")
    _, key = mint_key(
        ports.keys, ports.clock, ports.ids, name="admin", role=Role.ADMIN, expires_in_days=None, created_by="iam"
    )
    client = Client(app, key)
    ports.blobs.put("dagy/etl.zip", b"a zip")
    artifact = {"bucket": NAME, "key": "dagy/etl.zip", "sha256": hashlib.sha256(b"a zip").hexdigest()}
    body: Any = {
        "flow_spec": flow_spec().to_dict(),
        "artifact": artifact,
        "namespace": "data/orders",
        "tags": {"a": "b"},
    }
    assert client.post("/v1/flows", body).status == 200
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "monday"}}
    for tags in ({"n": "1"}, {"n": "2"}):
        assert client.post("/v1/deployments", {**body, "tags": tags}).status == 200
    run_id = _started(ports, client)
    return client, key, run_id


def _started(ports: Ports, client: Any) -> str:
    """The message and the timer are refused, because there are no such functions; the run is there all the same."""
    client.post("/v1/runs", {"deployment": "daily", "parameters": {"day": "x" * 33_000}, "tags": {"by": "hand"}})
    [run] = ports.runs.list_runs(limit=1).items
    ports.runs.claim_run(run.id, owner="one", now=ports.clock.now(), lease_s=60, hop=0)
    tasks = [TaskRun(run.id, f"{name}-1", name, Status.PENDING, place) for place, name in enumerate(("load", "save"))]
    ports.runs.put_tasks(run.id, tasks)
    ports.runs.start_task(run.id, "load-1", attempt=1, attempt_id="a1", started_at=run.created_at)
    ports.runs.append_events([Event(run.id, ports.ids.unique(), run.created_at, "run_started", data={"hop": 0})])
    return str(run.id)


def flow_spec() -> FlowSpec:
    return FlowSpec(
        name="etl",
        version="1.0",
        created_at="2026-03-04T12:00:00Z",
        tasks={"load": TaskSpec("load", "etl:load"), "save": TaskSpec("save", "etl:save")},
        task_runs=[
            TaskRunSpec("load-1", "load", args=[{"$param": "day"}]),
            TaskRunSpec("save-1", "save", depends_on=["load-1"], args=[{"$ref": "load-1"}]),
        ],
        edges=[["load-1", "save-1"]],
        outputs={"$ref": "save-1"},
        parameters=[
            {
                "name": "day", "type": "str", "schema": {"type": "string"}, "required": True,
                "kind": "positional_or_keyword",
            }
        ],
    )  # fmt: skip


def main() -> None:
    with mock_aws():
        ports, clients = make_world()
        client, key, run_id = live(ports)
        answers = {path: client.get(f"/v1{path.format(run=run_id)}").json() for path in GETS}
        items = clients.get("dynamodb").scan(TableName=NAME)["Items"]
        s3 = clients.get("s3")
        objects = [found["Key"] for found in s3.list_objects_v2(Bucket=NAME).get("Contents", ())]
        recorded = {
            "key": key,
            "run_id": run_id,
            "items": items,
            "objects": {name: s3.get_object(Bucket=NAME, Key=name)["Body"].read() for name in objects},
            "answers": answers,
        }
    Path(sys.argv[1]).write_text(json.dumps(recorded, indent=1, sort_keys=True, default=_bytes) + "\n")


def _bytes(value: Any) -> Any:
    return {"base64": base64.b64encode(bytes(value)).decode()}


if __name__ == "__main__":
    main()
