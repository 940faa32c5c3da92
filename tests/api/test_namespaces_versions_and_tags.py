"""The reference on namespaces, versions and tags, row by row: each model and field, each way to look something up.

What the command line and the SDK make of the three: tests/cli/test_reference_deploys.py, test_deploy_command.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagy.client import models as m

Told = Callable[[Any], Any]
TAGS = {"team": "data-eng", "env": "prod", "cost-center": "analytics", "criticality": "high"}
NAMESPACE, VERSION, HASH = "data/orders", "2.1.0", "c" * 64
DRAFT = {"name": "My Draft Pipeline", "canvas_json": "{}", "tags": {"project": "migration", "status": "wip"}}
ROW = pytest.mark.parametrize


@pytest.fixture
def stage(stage: Any, spec: Any) -> Any:
    """Two teams' flows; `order_etl` in a version that everything is said of, and deployed."""
    assert stage.register(spec("load_users", "1.0.0"), namespace="data", tags={"team": "data-eng"}).status == 200
    assert stage.register(spec("invoice", "abc123"), namespace="billing/invoices", tags={"env": "prod"}).status == 200
    assert stage.register(spec("flat", "latest")).status == 200
    stage.reply = stage.register(
        spec("order_etl", VERSION), namespace=NAMESPACE, tags=TAGS, code_hash=HASH, deployment_name="order-etl-prod"
    )
    assert stage.reply.status == 200
    return stage


def detail(stage: Any) -> Any:
    return stage.client("viewer").get(f"/v1/flows/order_etl/{VERSION}").json()


def item(stage: Any) -> Any:
    items = stage.client("viewer").get("/v1/flows").json()["items"]
    return next(one for one in items if one["flow_name"] == "order_etl")


def run(stage: Any) -> Any:
    body = {"flow_name": "order_etl", "flow_version": VERSION, "parameters": {"day": "monday"}}
    reply = stage.client("developer").post("/v1/runs", body)
    assert reply.status == 201, reply.body
    return reply.json()


# --- models and fields --------------------------------------------------------------------------------------

FIELDS = {
    "FlowListItem.namespace": (m.FlowListItem, lambda s: item(s)["namespace"], NAMESPACE),
    "FlowDetailResponse.namespace": (m.FlowDetailResponse, lambda s: detail(s)["namespace"], NAMESPACE),
    "FlowSpecModel.version": (m.FlowSpecModel, lambda s: detail(s)["flow_spec"]["version"], VERSION),
    "FlowRegisterResponse.flow_version": (m.FlowRegisterResponse, lambda s: s.reply.json()["flow_version"], VERSION),
    "RunResponse.flow_version": (m.RunResponse, lambda s: run(s)["flow_version"], VERSION),
    "FlowModel.code_hash": (m.FlowModel, lambda s: [item(s)["code_hash"], detail(s)["code_hash"]], [HASH, HASH]),
    "FlowRegisterResponse.tags": (m.FlowRegisterResponse, lambda s: s.reply.json()["tags"], TAGS),
    "FlowListItem.tags": (m.FlowListItem, lambda s: item(s)["tags"], TAGS),
    "FlowDetailResponse.tags": (m.FlowDetailResponse, lambda s: detail(s)["tags"], TAGS),
}


@ROW("name", FIELDS)
def test_what_a_flow_was_registered_with_is_in_every_answer(stage: Any, name: str) -> None:
    model, told, expected = FIELDS[name]
    assert name.partition(".")[0] == model.__name__ and name.partition(".")[2] in model.__struct_fields__
    assert told(stage) == expected


GIVEN = {  # what each request takes, through its route, and where it is seen then
    "FlowRegisterRequest.namespace": (
        "POST", "/flows", lambda s, sp: {"flow_spec": sp("new").to_dict(), "artifact": s.upload(), "namespace": "a/b"},
        "/flows/new/1.0", "namespace", "a/b",
    ),
    "FlowRegisterRequest.tags": (
        "POST", "/flows", lambda s, sp: {"flow_spec": sp("new").to_dict(), "artifact": s.upload(), "tags": {"a": "b"}},
        "/flows/new/1.0", "tags", {"a": "b"},
    ),
    "DeploymentRequest.tags": (
        "POST", "/deployments",
        lambda s, sp: {"name": "n", "flow_name": "order_etl", "flow_version": VERSION, "tags": {"env": "prod"}},
        "/deployments/n", "tags", {"env": "prod"},
    ),
    "DeploymentSettingsRequest.tags": (
        "PUT", "/deployments/order-etl-prod/settings", lambda s, sp: {"tags": {"env": "dev"}},
        "/deployments/order-etl-prod", "tags", {"env": "dev"},
    ),
}  # fmt: skip


@ROW("name", GIVEN)
def test_what_a_request_may_say_is_kept(stage: Any, spec: Any, name: str) -> None:
    method, path, body, shown_at, field, expected = GIVEN[name]
    reply = stage.client("developer").request(method, f"/v1{path}", json_body=body(stage, spec))
    assert reply.status == 200, reply.body
    assert stage.client("viewer").get(f"/v1{shown_at}").json()[field] == expected


@ROW("model", [m.DagDraftCreateRequest, m.DagDraftUpdateRequest, m.DagDraftResponse])
def test_drafts_carry_tags_in_all_three_models(stage: Any, model: type) -> None:
    assert "tags" in model.__struct_fields__  # type: ignore[attr-defined]
    client = stage.client("developer")
    made = client.post("/v1/drafts", DRAFT).json()
    assert made["tags"] == DRAFT["tags"]
    changed = client.put(f"/v1/drafts/{made['draft_id']}", {"tags": {"status": "done"}}).json()
    assert changed["tags"] == {"status": "done"}
    assert client.get(f"/v1/drafts/{made['draft_id']}").json()["tags"] == {"status": "done"}


# --- what each of the three is ------------------------------------------------------------------------------


@ROW("version", ["latest", "1.0.0", "2.3.1", "abc123", "2026-03-08"])
def test_a_version_is_any_of_the_common_patterns(stage: Any, spec: Any, version: str) -> None:
    assert stage.register(spec("load_orders", version)).json()["flow_version"] == version
    found = stage.client("viewer").get(f"/v1/flows/load_orders/{version}").json()
    assert (found["flow_name"], found["flow_version"]) == ("load_orders", version)


@ROW("namespace", ["data-eng/etl", "billing/invoices", "staging", ""])
def test_a_namespace_is_any_of_the_conventions(stage: Any, spec: Any, namespace: str) -> None:
    assert stage.register(spec("one"), namespace=namespace).json()["namespace"] == namespace


def test_without_any_a_flow_has_no_namespace_no_tags_and_no_hash(stage: Any) -> None:
    found = stage.client("viewer").get("/v1/flows/flat/latest").json()
    assert (found["namespace"], found["tags"], found["code_hash"]) == ("", {}, None)


def test_the_same_pair_again_replaces_artifact_and_spec_and_another_version_stands_beside_it(
    stage: Any, spec: Any
) -> None:
    before = detail(stage)
    stage.clock.advance(60)
    again = {"flow_spec": spec("order_etl", VERSION, []).to_dict() | {"parameters": []}, "artifact": stage.upload(b"b")}
    again["flow_spec"]["task_runs"][0]["args"] = []
    assert stage.client("developer").post("/v1/flows", again).status == 200
    assert stage.register(spec("order_etl", "2.2.0")).status == 200

    after = detail(stage)
    assert after["flow_version"] == VERSION and after["created_at"] == before["created_at"]
    assert after["artifact_sha256"] != before["artifact_sha256"] and after["parameters"] == []
    versions = stage.client("viewer").get("/v1/flows/order_etl").json()["items"]
    assert [one["flow_version"] for one in versions] == [VERSION, "2.2.0"]


def test_a_deployment_counts_its_updates_apart_from_the_flows_version(stage: Any, spec: Any) -> None:
    assert stage.reply.json()["deployment_version"] == 1
    body = {"name": "order-etl-prod", "flow_name": "order_etl", "flow_version": VERSION, "tags": {"n": "2"}}
    assert stage.client("developer").post("/v1/deployments", body).json()["deployment_version"] == 2
    again = stage.register(spec("order_etl", "2.2.0"), deployment_name="order-etl-prod").json()
    assert (again["flow_version"], again["deployment_version"]) == ("2.2.0", 3)


def test_a_run_keeps_the_version_that_it_was_started_with(stage: Any, spec: Any) -> None:
    started = run(stage)
    stage.register(spec("order_etl", "3.0.0"), deployment_name="order-etl-prod")
    shown = stage.client("viewer").get(f"/v1/runs/{started['run_id']}").json()
    assert (shown["flow_version"], shown["artifact_sha256"]) == (VERSION, started["artifact_sha256"])


# --- lookup patterns ----------------------------------------------------------------------------------------


def names(reply: Any) -> list[str]:
    return [one["flow_name"] for one in reply.json()["items"]]


def test_a_specific_version_is_got_by_name_and_version(stage: Any) -> None:
    assert (detail(stage)["flow_name"], detail(stage)["flow_version"]) == ("order_etl", VERSION)


@ROW("limit", [1, 3, 100])
def test_all_flows_are_listed_page_by_page_with_namespace_and_tags(stage: Any, limit: int) -> None:
    found: list[Any] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = stage.client("viewer").get("/v1/flows", query=query).json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [(one["flow_name"], one["namespace"], one["tags"]) for one in found] == [
        ("flat", "", {}),
        ("invoice", "billing/invoices", {"env": "prod"}),
        ("load_users", "data", {"team": "data-eng"}),
        ("order_etl", NAMESPACE, TAGS),
    ]


@ROW(
    "query, expected",
    [
        pytest.param({"namespace": "data"}, ["load_users", "order_etl"], id="a namespace and what is below it"),
        pytest.param({"namespace": "data/orders"}, ["order_etl"], id="a namespace below"),
        pytest.param({"namespace": "dat"}, [], id="no part of a word"),
        pytest.param({"tag": ["team:data-eng"]}, ["load_users", "order_etl"], id="a tag"),
        pytest.param({"tag": ["team:data-eng", "env:prod"]}, ["order_etl"], id="two tags, both"),
        pytest.param({"tag": ["env:prod"], "namespace": "billing"}, ["invoice"], id="a tag and a namespace"),
    ],
)
def test_flows_are_found_by_namespace_and_by_tags_that_all_must_match(
    stage: Any, query: dict[str, Any], expected: list[str]
) -> None:
    assert names(stage.client("viewer").get("/v1/flows", query=query)) == expected


def test_a_run_of_a_specific_version_names_it_in_the_body(stage: Any, spec: Any) -> None:
    stage.register(spec("order_etl", "3.0.0"))
    assert run(stage)["flow_version"] == VERSION


def test_a_run_by_a_deployment_takes_the_version_that_it_is_pinned_to(stage: Any, spec: Any) -> None:
    stage.register(spec("order_etl", "3.0.0"))  # registered, and not deployed
    body = {"deployment": "order-etl-prod", "parameters": {"day": "monday"}}
    started = stage.client("developer").post("/v1/runs", body).json()
    assert (started["flow_name"], started["flow_version"], started["deployment"]) == (
        "order_etl", VERSION, "order-etl-prod",
    )  # fmt: skip


def test_runs_are_listed_by_flow(stage: Any) -> None:
    started = run(stage)["run_id"]
    other = {"flow_name": "invoice", "flow_version": "abc123", "parameters": {"day": "monday"}}
    assert stage.client("developer").post("/v1/runs", other).status == 201
    found = stage.client("viewer").get("/v1/runs", query={"flow_name": "order_etl"}).json()["items"]
    assert [one["run_id"] for one in found] == [started]
