"""A deployment's versions, and the way back to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagy.core.sizes import Size
from dagy.core.spec import FlowSpec
from dagy_runtime.adapters.memory import MemoryBlobs
from dagy_runtime.api.app import create_app

Spec = Callable[..., FlowSpec]


def deploy(stage: Any, spec: FlowSpec, code: bytes, **settings: Any) -> Any:
    """As `dagy deploy` does: upload, register, put the deployment. Its answer."""
    body = {"flow_spec": spec.to_dict(), "artifact": stage.upload(code, f"dagy/{spec.name}/{code.decode()}.zip")}
    client = stage.client("developer")
    assert client.post("/v1/flows", body).status == 200
    put = {"name": "daily", "flow_name": spec.name, "flow_version": spec.version, **settings}
    reply = client.post("/v1/deployments", put)
    assert reply.status == 200, reply.body
    return reply.json()


def roll_back(stage: Any, number: int | None = None, **headers: str) -> Any:
    body = {} if number is None else {"deployment_version": number}
    path = "/v1/deployments/daily/rollback"
    return stage.client("developer").post(
        path, body, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def versions(stage: Any, **query: Any) -> Any:
    return stage.client("viewer").get("/v1/deployments/daily/versions", query=query).json()


def test_a_rollback_brings_back_code_and_settings_as_a_new_version(stage: Any, spec: Spec) -> None:
    old_spec, new_spec = spec(version="latest"), spec(name="etl", version="latest", parameters=[])
    first = deploy(stage, old_spec, b"one", schedule="0 6 * * *", parameters={"day": "monday"}, tags={"is": "old"})
    second = deploy(stage, new_spec, b"two", schedule="0 7 * * *", parameters={}, tags={"is": "new"})
    back = roll_back(stage)
    assert back.status == 200 and back.headers["etag"] == '"3"'
    same = {"deployment_version", "updated_at", "updated_by", "next_fire_times"}
    assert {k: v for k, v in back.json().items() if k not in same} == {k: v for k, v in first.items() if k not in same}
    flow = stage.client("viewer").get("/v1/flows/etl/latest").json()
    assert flow["artifact_sha256"] == first["artifact_sha256"] != second["artifact_sha256"]
    assert flow["flow_spec"] == old_spec.to_dict()
    assert stage.ports.schedules.get("daily")[0].expression == "0 6 * * *"
    run = stage.client("developer").post("/v1/runs", {"deployment": "daily"}).json()
    assert run["artifact_sha256"] == first["artifact_sha256"]


def test_a_second_rollback_undoes_the_first(stage: Any, spec: Spec) -> None:
    deploy(stage, spec(), b"one")
    second = deploy(stage, spec(), b"two")
    roll_back(stage)
    assert roll_back(stage).json()["artifact_sha256"] == second["artifact_sha256"]


def test_changes_of_settings_alone_are_passed_over_unless_named(stage: Any, spec: Spec) -> None:
    first = deploy(stage, spec(), b"one", tags={"n": "1"})
    deploy(stage, spec(), b"two", tags={"n": "2"})
    stage.client("developer").put("/v1/deployments/daily/settings", {"tags": {"n": "3"}})
    assert roll_back(stage).json()["artifact_sha256"] == first["artifact_sha256"]
    named = roll_back(stage, 3).json()
    assert (named["tags"], named["deployment_version"]) == ({"n": "3"}, 5)


def test_another_flow_version_is_gone_back_to_without_touching_it(stage: Any, spec: Spec) -> None:
    deploy(stage, spec(version="1.0"), b"one")
    deploy(stage, spec(version="2.0"), b"two")
    before = stage.client("viewer").get("/v1/flows/etl/1.0").json()
    assert roll_back(stage).json()["flow_version"] == "1.0"
    assert stage.client("viewer").get("/v1/flows/etl/1.0").json() == before


def test_a_paused_deployment_stays_paused(stage: Any, spec: Spec) -> None:
    schedule = {"schedule": "0 6 * * *", "parameters": {"day": "monday"}}
    deploy(stage, spec(), b"one", **schedule)
    deploy(stage, spec(), b"two", status="PAUSED", **schedule)
    assert roll_back(stage).json()["status"] == "PAUSED"
    assert stage.ports.schedules.get("daily")[1] is False


def test_the_versions_are_listed_newest_first_with_who_made_them(stage: Any, spec: Spec) -> None:
    for number in range(3):
        deploy(stage, spec(), b"one", tags={"n": str(number)})
    page = versions(stage, limit=2)
    assert [item["deployment_version"] for item in page["items"]] == [3, 2]
    rest = versions(stage, limit=2, cursor=page["next_cursor"])
    assert ([item["tags"]["n"] for item in rest["items"]], rest["next_cursor"]) == (["0"], None)
    assert {item["updated_by"] for item in page["items"]} == {stage.texts["developer"].split("_")[1]}


def test_what_cannot_be_gone_back_to_is_said_and_changes_nothing(stage: Any, spec: Spec) -> None:
    missing = roll_back(stage)
    assert (missing.status, missing.error["code"]) == (404, "not_found")
    deploy(stage, spec(), b"one")
    only = roll_back(stage)
    assert only.status == 409 and "no earlier version with other code" in only.error["message"]
    for number in (0, -1, 2, 10**9):
        never = roll_back(stage, number)
        assert never.status == 422 and f"has no version {number}" in never.error["message"]
    assert [item["deployment_version"] for item in versions(stage)["items"]] == [1]


class Losing(MemoryBlobs):
    """A bucket from which somebody deletes by hand."""

    lost: str | None = None

    def exists(self, key: str, *, version_id: str | None = None) -> bool:
        return key != self.lost and super().exists(key, version_id=version_id)


def test_a_version_whose_artifact_is_gone_is_refused_with_its_hash(new_stage: Any, spec: Spec) -> None:
    blobs = Losing()
    stage = new_stage(blobs=blobs)
    first = deploy(stage, spec(), b"one")
    deploy(stage, spec(), b"two")
    blobs.lost = "dagy/etl/one.zip"
    refused = roll_back(stage)
    assert refused.status == 409 and first["artifact_sha256"] in refused.error["hint"]
    assert len(versions(stage)["items"]) == 2


def test_a_version_that_the_stage_can_carry_out_no_more_is_refused(new_stage: Any, spec: Spec) -> None:
    stage = new_stage()
    deploy(stage, spec(), b"one", execution_mode="large")
    deploy(stage, spec(), b"two", execution_mode="nano")
    stage.app = create_app(stage.ports, stage="test", version="9.9.9", sizes=(Size.NANO,))
    refused = roll_back(stage)
    assert refused.status == 422 and "no size 'large'" in refused.error["message"]
    assert len(versions(stage)["items"]) == 2


@pytest.mark.parametrize("etag, status", [('"2"', 200), ('"1"', 412)])
def test_a_rollback_on_top_of_an_unseen_change_is_refused(stage: Any, spec: Spec, etag: str, status: int) -> None:
    deploy(stage, spec(), b"one")
    deploy(stage, spec(), b"two")
    reply = roll_back(stage, if_match=etag)
    assert reply.status == status
    if status == 412:
        assert reply.error["message"] == "Deployment 'daily' is at version 2; If-Match says 1"
