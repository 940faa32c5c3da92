"""Registering flow versions and finding them again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dagy.core.offer import MAX_ARTIFACT_BYTES
from dagy.core.spec import FlowSpec, TaskRunSpec
from dagy_runtime.api.wire import MAX_BODY_BYTES

Spec = Callable[..., FlowSpec]
HASH = "a" * 64


def test_a_registered_flow_is_shown_as_it_is(stage: Any, spec: Spec) -> None:
    reply = stage.register(spec(), code_hash=HASH, namespace="data/orders", tags={"team": "data"})
    assert reply.status == 200
    assert reply.json() == {
        "flow_name": "etl",
        "flow_version": "1.0",
        "namespace": "data/orders",
        "tags": {"team": "data"},
        "code_hash": HASH,
        "deployment_name": None,
        "deployment_version": None,
        "created_at": "2026-03-04T12:00:00.000Z",
        "updated_at": "2026-03-04T12:00:00.000Z",
    }
    detail = stage.client("viewer").get("/v1/flows/etl/1.0").json()
    assert detail["flow_spec"] == spec().to_dict()
    assert detail["artifact_s3_uri"] == "s3://dagy-artifacts-memory/dagy/flows/etl/1.0/artifact.zip"
    [item] = stage.client("viewer").get("/v1/flows").json()["items"]
    assert item["task_count"] == 2 and item["code_hash"] == HASH


def test_a_flow_of_ten_thousand_tasks_is_registered_and_can_be_run(stage: Any, spec: Spec) -> None:
    tasks = 10_000
    loads = [TaskRunSpec(f"load-{n}", "load", args=[{"$param": "day"}, "s3://bucket/part"]) for n in range(1, tasks)]
    save = TaskRunSpec("save-1", "save", depends_on=[run.id for run in loads], args=[{"$ref": "load-1"}])
    edges = [[run.id, "save-1"] for run in loads]
    wide = replace(spec(), task_runs=[*loads, save], edges=edges)
    assert len(json.dumps(wide.to_dict())) > MAX_BODY_BYTES  # the limit of all other routes

    assert stage.register(wide).status == 200

    client = stage.client("developer")
    assert client.get("/v1/flows").json()["items"][0]["task_count"] == tasks
    assert client.get("/v1/flows/etl/1.0").json()["flow_spec"] == wide.to_dict()
    run = {"flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "monday"}}
    assert client.post("/v1/runs", run).status == 201


def test_registering_again_replaces_and_keeps_what_is_not_given(stage: Any, spec: Spec) -> None:
    stage.register(spec(), code_hash=HASH, namespace="data", tags={"team": "data"})
    stage.clock.advance(60)
    again = stage.register(spec()).json()
    assert again["created_at"] < again["updated_at"]
    assert (again["namespace"], again["tags"], again["code_hash"]) == ("data", {"team": "data"}, None)
    assert stage.register(spec(), namespace="", tags={}).json()["tags"] == {}


def test_latest_is_the_version_of_that_name_else_the_one_registered_last(stage: Any, spec: Spec) -> None:
    client = stage.client("viewer")
    assert client.get("/v1/flows/etl/latest").status == 404
    stage.register(spec(version="2.0"))
    stage.register(spec(version="1.0"))
    assert client.get("/v1/flows/etl/latest").json()["flow_version"] == "1.0"
    stage.register(spec(version="latest"))
    stage.register(spec(version="3.0"))
    assert client.get("/v1/flows/etl/latest").json()["flow_version"] == "latest"


def test_a_flow_may_create_its_deployment_and_later_moves_it_with_all_settings(stage: Any, spec: Spec) -> None:
    first = stage.register(spec(), deployment_name="daily").json()
    assert (first["deployment_name"], first["deployment_version"]) == ("daily", 1)
    client = stage.client("developer")
    settings = {
        "schedule": "0 6 * * *",
        "timezone": "Europe/Athens",
        "execution_mode": "small",
        "parameters": {"day": "x"},
    }
    assert client.put("/v1/deployments/daily/settings", settings).status == 200
    moved = stage.register(spec(version="2.0"), deployment_name="daily").json()
    assert moved["deployment_version"] == 3
    shown = client.get("/v1/deployments/daily").json()
    assert (shown["flow_version"], shown["schedule"], shown["execution_mode"]) == ("2.0", "0 6 * * *", "small")


def test_a_flow_that_the_deployments_parameters_do_not_fit_is_not_registered(stage: Any, spec: Spec) -> None:
    stage.register(spec(), deployment_name="daily")
    stage.client().put("/v1/deployments/daily/settings", {"parameters": {"day": "x"}})
    reply = stage.register(spec(version="2.0", parameters=[]), deployment_name="daily")
    assert reply.status == 422 and reply.error["code"] == "unknown_parameter"
    assert stage.client().get("/v1/flows/etl/2.0").status == 404


@pytest.mark.parametrize(
    "artifact, status, words",
    [
        pytest.param({"bucket": "somebody-elses"}, 422, "not this stage's bucket", id="another bucket"),
        pytest.param({"key": "nothing/here.zip"}, 404, "Upload it first", id="not uploaded"),
        pytest.param({"sha256": "0" * 64}, 409, "deploy again", id="another file"),
        pytest.param({"sha256": "xyz"}, 422, "SHA-256 in hex", id="no hash"),
        pytest.param({"version_id": "v99"}, 404, "Upload it first", id="another S3 version"),
        pytest.param({"key": ""}, 422, "1–1024", id="no key"),
        pytest.param({"key": "x" * 1025}, 422, "1–1024", id="a long key"),
        pytest.param({"key": "runs/etl/artifact.zip"}, 422, "Data of runs", id="among results, which expire"),
        pytest.param({"key": "state/flows/etl.zip"}, 422, "Data of runs", id="among state"),
    ],
)
def test_the_artifact_must_be_there_in_this_bucket_with_that_hash(
    stage: Any, spec: Spec, artifact: dict[str, Any], status: int, words: str
) -> None:
    body = {"flow_spec": spec().to_dict(), "artifact": {**stage.upload(), **artifact}}
    reply = stage.client("developer").post("/v1/flows", body)
    assert reply.status == status
    assert words in f"{reply.error['message']} {reply.error['hint']}"
    assert stage.client().get("/v1/flows").json()["items"] == []


def test_an_artifact_larger_than_250_mib_is_refused(stage: Any, spec: Spec) -> None:
    artifact = stage.upload()
    stage.ports.blobs.put(artifact["key"], bytes(MAX_ARTIFACT_BYTES + 1))
    reply = stage.client("developer").post("/v1/flows", {"flow_spec": spec().to_dict(), "artifact": artifact})
    assert MAX_ARTIFACT_BYTES == 250 * 2**20
    assert reply.status == 422 and "262,144,001 bytes, more than 262,144,000" in reply.error["message"]


def test_the_artifacts_s3_version_is_pinned(stage: Any, spec: Spec) -> None:
    stage.register(spec())
    stored = stage.ports.registry.get_flow("etl", "1.0")
    assert stored.artifact.version_id == "v1" and stored.artifact.size_bytes == len(b"an artifact")


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets what is at `a.b.0.c`; deletes it when `value` is `...`."""

    def change(data: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            data = data[part]
        if value is ...:
            del data[last]
        else:
            data[last] = value

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        pytest.param(changed("name", ...), "name", id="no name"),
        pytest.param(changed("name", "../etl"), "Invalid flow name", id="a name that is a path"),
        pytest.param(changed("name", "x" * 101), "Invalid flow name", id="a long name"),
        pytest.param(changed("version", "1 0"), "Invalid flow version", id="a version with a space"),
        pytest.param(changed("version", 1), "version", id="a version that is a number"),
        pytest.param(changed("tasks", []), "tasks", id="tasks as a list"),
        pytest.param(changed("tasks.load.retries", -1), "retries", id="negative retries"),
        pytest.param(changed("tasks.load.timeout_seconds", 0), "timeout_seconds", id="no time at all"),
        pytest.param(changed("tasks.load.name", "save"), "calls itself 'save'", id="a task under another name"),
        pytest.param(
            changed("tasks.load.default_executor", "ecs"), "executor 'ecs'", id="an executor that the stage has not"
        ),
        pytest.param(changed("tasks.load.default_executor", "k8s"), "k8s", id="an unknown executor"),
        pytest.param(changed("task_runs.1.id", "../1"), "Invalid task run id", id="a task run id that is a path"),
        pytest.param(changed("task_runs.1.id", "load-1"), "same id", id="an id twice"),
        pytest.param(changed("task_runs.1.depends_on", [["load-1"]]), "depends_on", id="a parent that is a list"),
        pytest.param(changed("task_runs.1.depends_on", ["x-1"]), "lacks", id="a parent that is not there"),
        pytest.param(changed("task_runs.0.depends_on", ["save-1"]), "cycle", id="a cycle"),
        pytest.param(changed("task_runs.0.task_name", "x"), "lacks", id="a task that is not there"),
        pytest.param(changed("edges.0", ["load-1"]), "edges", id="half an edge"),
        pytest.param(changed("edges.0", ["load-1", "x-1"]), "leads nowhere", id="an edge to nowhere"),
        pytest.param(changed("parameters.0.kind", "var_keyword"), "kind", id="a parameter of another kind"),
        pytest.param(changed("parameters.1.name", "day"), "same name", id="a parameter twice"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_by_name(
    stage: Any, spec: Spec, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    data = copy.deepcopy(spec().to_dict())
    change(data)
    reply = stage.client("developer").post("/v1/flows", {"flow_spec": data, "artifact": stage.upload()})
    assert reply.status == 422, reply.body
    assert words in reply.error["message"]


def test_fields_a_newer_dagy_wrote_into_the_spec_are_ignored(stage: Any, spec: Spec) -> None:
    data = {**spec().to_dict(), "from_the_future": 1}
    assert stage.client().post("/v1/flows", {"flow_spec": data, "artifact": stage.upload()}).status == 200


@pytest.mark.parametrize(
    "more, words",
    [
        pytest.param({"tags": {str(n): "" for n in range(51)}}, "51 tags", id="51 tags"),
        pytest.param({"tags": {"k" * 129: ""}}, "tag key", id="a long tag key"),
        pytest.param({"tags": {"": "v"}}, "tag key", id="an empty tag key"),
        pytest.param({"tags": {"k": "v" * 257}}, "too long", id="a long tag value"),
        pytest.param({"tags": {"k": 1}}, "tags", id="a tag that is a number"),
        pytest.param({"namespace": "a//b"}, "Invalid namespace", id="a hole in the namespace"),
        pytest.param({"namespace": "../b"}, "Invalid namespace", id="a namespace that climbs"),
        pytest.param({"namespace": "a" * 256}, "too long", id="a long namespace"),
        pytest.param({"code_hash": "abc"}, "code_hash", id="no code hash"),
        pytest.param({"deployment_name": "a b"}, "Invalid deployment name", id="a deployment name with a space"),
        pytest.param({"colour": "red"}, "unknown field `colour`", id="an unknown field"),
    ],
)
def test_what_goes_along_with_a_flow_is_checked_too(stage: Any, spec: Spec, more: dict[str, Any], words: str) -> None:
    reply = stage.register(spec(), **more)
    assert reply.status == 422 and words in reply.error["message"]
    assert stage.client().get("/v1/flows").json()["items"] == []


def test_fifty_tags_at_their_limits_are_fine(stage: Any, spec: Spec) -> None:
    tags = {f"{n:02}" + "k" * 126: "v" * 256 for n in range(50)}
    assert stage.register(spec(), tags=tags).json()["tags"] == tags


def test_flows_are_listed_page_by_page_and_filtered(stage: Any, spec: Spec) -> None:
    for n in range(7):
        namespace, tags = ("data/orders" if n % 2 else "data"), {"team": "a" if n < 4 else "b"}
        stage.register(spec(name=f"flow-{n}"), namespace=namespace, tags=tags)
    client = stage.client("viewer")
    names: list[str] = []
    cursor = None
    while True:
        page = client.get("/v1/flows", query={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        names += [item["flow_name"] for item in page["items"]]
        assert len(page["items"]) <= 3
        if not (cursor := page["next_cursor"]):
            break
    assert names == [f"flow-{n}" for n in range(7)]

    def found(**query: Any) -> list[str]:
        return [item["flow_name"] for item in client.get("/v1/flows", query=query).json()["items"]]

    assert found(namespace="data/orders") == ["flow-1", "flow-3", "flow-5"]
    assert found(namespace="data", tag="team:b") == ["flow-4", "flow-5", "flow-6"]


@pytest.mark.parametrize(
    "query, words",
    [
        pytest.param({"limit": 0}, "limit", id="limit zero"),
        pytest.param({"limit": 1001}, "limit", id="limit too high"),
        pytest.param({"limit": "many"}, "limit", id="limit as a word"),
        pytest.param([("limit", 1), ("limit", 2)], "twice", id="limit twice"),
        pytest.param({"cursor": "nonsense"}, "ursor", id="a cursor that is none"),
        pytest.param({"colour": "red"}, "colour", id="an unknown parameter"),
        pytest.param({"tag": "team"}, "tag filter", id="a tag without value"),
        pytest.param({"tag": ["team:a", "team:b"]}, "two values", id="one tag with two values"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(stage: Any, query: Any, words: str) -> None:
    reply = stage.client("viewer").get("/v1/flows", query=query)
    assert reply.status == 422 and words in reply.error["message"]


def test_a_flow_that_is_not_there_is_404_with_names_alike(stage: Any, spec: Spec) -> None:
    stage.register(spec(name="orders_etl"))
    client = stage.client("viewer")
    assert "Did you mean orders_etl?" in client.get("/v1/flows/order_etl/1.0").error["hint"]
    assert "'1.0'" in client.get("/v1/flows/orders_etl/9.9").error["hint"]
    assert client.get("/v1/flows/..%2F..%2Fx/1.0").status in (404, 422)
    assert client.get("/v1/flows/a%20b/1.0").status == 422
