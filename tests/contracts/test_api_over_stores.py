"""The whole API over every adapter: many callers at once, and what only a real store would choke on."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy_runtime.api.app import create_app
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.values import Role

Client = runpy.run_path(str(Path(__file__).parents[1] / "api" / "conftest.py"))["Client"]


@pytest.fixture
def client(world: Any) -> Any:
    _, key = mint_key(
        world.keys, world.clock, world.ids, name="admin", role=Role.ADMIN, expires_in_days=None, created_by="iam"
    )
    return Client(create_app(world, stage="test", version="0.1.0"), key)


def registration(world: Any, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Of flow `etl` 1.0 with code of its own."""
    data, key = f"zip {number}".encode(), f"dagy/{number}.zip"
    world.blobs.put(key, data)
    spec = FlowSpec(
        name="etl",
        version="1.0",
        created_at="2026-03-04T12:00:00Z",
        tasks={"load": TaskSpec("load", f"etl:load_{number}")},
        task_runs=[TaskRunSpec("load-1", "load")],
        parameters=[],
    )
    bucket = getattr(world.blobs, "bucket", "dagy-artifacts-memory")
    artifact = {"bucket": bucket, "key": key, "sha256": hashlib.sha256(data).hexdigest()}
    return {"flow_spec": spec.to_dict(), "artifact": artifact, "tags": {"n": str(number)}, **changes}


def test_of_64_callers_that_register_one_version_one_record_stands_whole(
    world: Any, client: Any, together: Any
) -> None:
    bodies = [registration(world, number, code_hash=f"{number:064x}") for number in range(64)]
    replies = together(lambda body: client.post("/v1/flows", body), bodies)
    assert {reply.status for reply in replies} == {200}
    stands = client.get("/v1/flows/etl/1.0").json()
    number = int(stands["tags"]["n"])
    assert stands["flow_spec"] == bodies[number]["flow_spec"]
    assert stands["artifact_sha256"] == bodies[number]["artifact"]["sha256"]
    assert stands["code_hash"] == bodies[number]["code_hash"] and stands["artifact_exists"] is True
    assert [item["tags"] for item in client.get("/v1/flows").json()["items"]] == [stands["tags"]]


def test_of_8_callers_that_deploy_each_makes_a_version(world: Any, client: Any, together: Any) -> None:
    client.post("/v1/flows", registration(world))
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}
    replies = together(lambda n: client.post("/v1/deployments", {**body, "tags": {"n": str(n)}}), list(range(8)))
    assert {reply.status for reply in replies} <= {200, 409}
    taken = [number for number, reply in enumerate(replies) if reply.status == 200]
    versions = client.get("/v1/deployments/daily/versions").json()["items"]
    assert [item["deployment_version"] for item in versions] == list(range(len(taken), 0, -1))
    assert sorted(int(item["tags"]["n"]) for item in versions) == taken


LONG = ["x" * 99, "x" * 100, "x" * 101, "x" * 5000]
ODD = [
    "..",
    "a..b",
    "../../etc/passwd",
    "%2e%2e%2f",
    "a/b",
    "-a",
    ".a",
    "a b",
    "ü",
    "\x00",
    "\n",
    "a\u202eb",
    "💥",
    "'",
]


@pytest.mark.parametrize(
    "path",
    [
        "/flows/{}", "/flows/{}/1.0", "/flows/etl/{}", "/deployments/{}", "/deployments/{}/versions", "/runs/{}",
        "/runs/{}/tasks", "/runs/{}/events", "/runs/{}/logs", "/runs/{}/result", "/drafts/{}",
    ],
)  # fmt: skip
def test_a_name_of_any_kind_in_a_path_is_not_found_or_refused(client: Any, path: str) -> None:
    for name in [*LONG, *ODD]:
        reply = client.get(f"/v1{path.format(quote(name, safe=''))}")
        assert reply.status in (404, 422), (name, reply.body)


@pytest.mark.parametrize("text", ["", "x" * 5000, "\x00", "ü💥", "OjA", "e30", "W10", "9" * 400])
def test_any_text_as_a_cursor_or_a_filter_is_an_answer(world: Any, client: Any, text: str) -> None:
    client.post("/v1/flows", registration(world))
    client.post("/v1/deployments", {"name": "daily", "flow_name": "etl", "flow_version": "1.0"})
    run_id = "etl-1"
    for path in ("/flows", "/flows/etl", "/deployments", "/deployments/daily/versions", "/runs", "/drafts", "/keys"):
        assert client.get(f"/v1{path}", query={"cursor": text}).status == 422, path
    for path in (f"/runs/{run_id}/events", f"/runs/{run_id}/logs"):
        assert client.get(f"/v1{path}", query={"after": text}).status in (404, 422)
    for query in ({"namespace": text}, {"tag": f"k:{text}"}, {"tag": text}):
        assert client.get("/v1/flows", query=query).status in (200, 422)


@pytest.mark.parametrize(
    "change, words",
    [
        pytest.param({"tags": {f"k{n}": "v" for n in range(51)}}, "51 tags", id="51 tags"),
        pytest.param({"tags": {"k" * 129: "v"}}, "tag key", id="a tag's key too long"),
        pytest.param({"tags": {"": "v"}}, "tag key", id="a tag without a key"),
        pytest.param({"tags": {"k": "v" * 257}}, "value of tag", id="a tag's value too long"),
        pytest.param({"namespace": "x" * 256}, "namespace", id="a namespace too long"),
        pytest.param({"namespace": "../up"}, "namespace", id="a namespace that climbs"),
        pytest.param({"namespace": "/a"}, "namespace", id="a namespace from the root"),
        pytest.param({"deployment_name": "x" * 101}, "deployment name", id="a deployment's name too long"),
        pytest.param({"colour": "red"}, "unknown field `colour`", id="an unknown field"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_and_nothing_is_kept(
    world: Any, client: Any, change: dict[str, Any], words: str
) -> None:
    reply = client.post("/v1/flows", registration(world, **change))
    assert reply.status == 422 and words in reply.error["message"]
    assert client.get("/v1/flows").json()["items"] == []


def test_what_is_at_its_limit_is_kept_whole(world: Any, client: Any) -> None:
    body = registration(
        world,
        tags={f"{n:0128d}": "💥" * 256 for n in range(50)},
        namespace="/".join(["x" * 50] * 5),
        deployment_name="x" * 100,
    )
    body["flow_spec"] |= {"name": "f" * 100, "version": "v" * 100}
    reply = client.post("/v1/flows", body)
    assert reply.status == 200, reply.body
    stands = client.get(f"/v1/flows/{'f' * 100}/{'v' * 100}").json()
    assert (stands["tags"], stands["namespace"]) == (body["tags"], body["namespace"])
    assert client.get(f"/v1/deployments/{'x' * 100}").json()["deployment_version"] == 1


def test_a_draft_and_a_repeat_of_it_are_kept_by_every_store(client: Any) -> None:
    body = {"name": "one", "canvas_json": json.dumps({"text": "💥" * 50_000})}
    replies = [client.post("/v1/drafts", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 200] and replies[0].body == replies[1].body
    assert client.get(f"/v1/drafts/{replies[0].json()['draft_id']}").json()["canvas_json"] == body["canvas_json"]
