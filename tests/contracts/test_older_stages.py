"""A stage that an earlier Dagy filled is read by this one, and goes on from there. See `recording.py`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dagy.client import models as m
from dagy.core.errors import Conflict
from dagy.core.states import Status
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import to_wire
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.engine.keys import authenticate
from dagy_runtime.values import Role

RECORDED = sorted(Path(__file__).parent.joinpath("recorded").glob("*.json"))
ANSWERS = {
    "/whoami": m.WhoamiResponse,
    "/stage": m.StageResponse,
    "/health": m.HealthResponse,
    "/flows": m.FlowListResponse,
    "/flows/etl/1.0": m.FlowDetailResponse,
    "/deployments": m.DeploymentListResponse,
    "/deployments/daily": m.DeploymentResponse,
    "/runs": m.RunListResponse,
    "/runs/{run}": m.RunResponse,
    "/runs/{run}/tasks": m.TaskRunListResponse,
    "/runs/{run}/tasks/load-1/result": m.ErrorBody,
    "/runs/{run}/events": m.EventListResponse,
    "/runs/{run}/logs": m.LogResponse,
    "/keys": m.KeyListResponse,
}
on_moto = pytest.mark.parametrize("world_factory", ["moto"], indirect=True)


@pytest.fixture(params=RECORDED, ids=[path.stem for path in RECORDED])
def recorded(request: pytest.FixtureRequest) -> Any:
    return json.loads(request.param.read_text(encoding="utf-8"), object_hook=_bytes)


def _bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value


@pytest.fixture
def older(world: Any, recorded: Any) -> Any:
    """The world with what was recorded in it."""
    table, client = world.keys._table.name, Clients({"AWS_REGION": "us-east-1"}).get("dynamodb")
    for item in recorded["items"]:
        client.put_item(TableName=table, Item=item)
    for name, data in recorded["objects"].items():
        world.blobs.put(name, data)
    return world


@on_moto
def test_everything_it_kept_is_read(older: Any, recorded: Any) -> None:
    flow = older.registry.get_flow("etl", "1.0")
    assert (flow.namespace, flow.tags, flow.spec.name) == ("data/orders", {"a": "b"}, "etl")
    assert older.registry.latest_flow("etl") == flow
    assert (
        older.registry.list_flows(limit=9).items == older.registry.list_flow_versions("etl", limit=9).items == (flow,)
    )
    [deployment] = older.registry.list_deployments(limit=9).items
    assert (deployment.deployment_version, deployment.tags) == (2, {"n": "2"})
    assert deployment.parameters == {"day": "monday"}
    [run] = older.runs.list_runs(limit=9).items
    assert (run.id, run.status, run.tags) == (recorded["run_id"], Status.RUNNING, {"n": "2", "by": "hand"})
    assert run.parameters == {"day": "x" * 33_000}
    assert [task.status for task in older.runs.list_tasks(run.id, limit=9).items] == [Status.RUNNING, Status.PENDING]
    assert older.runs.get_lease(run.id).owner == "one"
    assert [event.type for event in older.runs.list_events(run.id, limit=9).items] == ["run_started"]
    assert authenticate(older.keys, older.clock, recorded["key"]).role is Role.ADMIN


@on_moto
def test_its_deployment_is_deployed_on_and_its_last_version_can_be_gone_back_to(older: Any) -> None:
    before = older.registry.get_deployment("daily")
    after = older.registry.put_deployment(
        msgspec.structs.replace(before, tags={"n": "3"}, artifact_sha256="ab" * 32), expected_version=2
    )
    assert after.deployment_version == 3 and after.created_at == before.created_at
    versions = older.registry.list_deployment_versions("daily", limit=9).items
    assert [version.tags["n"] for version in versions][:2] == ["3", "2"]
    assert older.registry.get_deployment_version("daily", 2) == before


@on_moto
def test_its_run_goes_on(older: Any, recorded: Any) -> None:
    run_id = recorded["run_id"]
    claim = older.runs.claim_run(run_id, owner="two", now=older.clock.now() + 9e6, lease_s=60, hop=1)
    assert claim.run.hops == 2
    ended = older.runs.finish_run(run_id, owner="two", status=Status.FAILED, ended_at="2036-01-01T00:00:00.000Z")
    assert ended.status is Status.FAILED
    assert {task.status for task in older.runs.list_tasks(run_id, limit=9).items} == {Status.CANCELLED}


@pytest.mark.parametrize("path", ANSWERS)
def test_what_it_answers_is_what_the_client_reads(recorded: Any, path: str) -> None:
    msgspec.convert(recorded["answers"][path], ANSWERS[path])


@on_moto
def test_what_a_newer_dagy_added_is_left_alone_and_what_it_laid_out_anew_is_refused(world: Any, make: Any) -> None:
    stored = world.registry.put_deployment(make.deployment(), expected_version=0)
    table, client = world.keys._table.name, Clients({"AWS_REGION": "us-east-1"}).get("dynamodb")
    key = to_wire({"pk": schema.deployment_key("nightly").pk, "sk": "META"})

    def set_to(name: str, value: Any) -> None:
        client.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues=to_wire({":value": value}),
        )

    set_to("added_later", "kept")
    assert world.registry.get_deployment("nightly") == stored
    world.registry.put_deployment(stored, expected_version=1)
    assert client.get_item(TableName=table, Key=key)["Item"]["added_later"] == {"S": "kept"}
    set_to("v", schema.SCHEMA_VERSION + 1)
    with pytest.raises(Conflict, match=r"DEPLOYMENT#nightly was written by a newer Dagy: layout 2, this stage reads 1"):
        world.registry.get_deployment("nightly")
