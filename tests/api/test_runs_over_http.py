"""Starting runs and looking into them."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import hashlib
import pickle
import threading
from typing import Any

import pytest

from dagy.core.states import Status
from dagy.results import PICKLE, encode
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.results import store_result
from dagy_runtime.ports import TaskOutcome
from dagy_runtime.values import Event, Problem, ResultRef, TaskRun

RUN = {"deployment": "daily"}


def start(stage: Any, **more: Any) -> Any:
    return stage.client("developer").post("/v1/runs", {**RUN, **more})


def finish(stage: Any, run_id: str, *, status: Status = Status.SUCCEEDED, result: ResultRef | None = None) -> None:
    runs = stage.ports.runs
    runs.claim_run(run_id, owner="me", now=stage.clock.now(), lease_s=60, hop=0)
    problem = Problem("ValueError", "it broke", "Traceback …") if status is Status.FAILED else None
    stage.clock.advance(2.5)
    done = runs.finish_run(
        run_id, owner="me", status=status, ended_at="2026-03-04T12:00:02.500Z", problem=problem, result=result
    )
    assert done is not None


def test_a_run_of_a_deployment_starts_with_its_defaults_and_what_is_given(deployed: Any) -> None:
    reply = start(deployed, parameters={"limit": 3}, tags={"why": "test"})
    assert reply.status == 201
    shown = reply.json()
    assert shown["parameters"] == {"day": "monday", "limit": 3}
    assert (shown["status"], shown["flow_name"], shown["flow_version"]) == ("PENDING", "etl", "1.0")
    assert (shown["execution_mode"], shown["trigger"], shown["tags"]) == ("nano", "manual", {"why": "test"})
    assert shown["requested_by"] == deployed.texts["developer"].split("_")[1]
    assert shown["artifact_sha256"] == hashlib.sha256(b"an artifact").hexdigest()
    [sent] = deployed.ports.dispatcher.sent
    assert sent.message.run_id == shown["run_id"]


def test_a_run_of_a_flow_version_needs_no_deployment(deployed: Any) -> None:
    body = {"flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "x"}, "execution_mode": "large"}
    reply = deployed.client("developer").post("/v1/runs", body)
    assert reply.status == 201
    assert (reply.json()["deployment"], reply.json()["execution_mode"]) == (None, "large")
    latest = deployed.client("developer").post("/v1/runs", {"flow_name": "etl", "parameters": {"day": "x"}})
    assert latest.json()["flow_version"] == "1.0"


def test_a_paused_deployment_still_runs_when_asked(deployed: Any) -> None:
    deployed.client().put("/v1/deployments/daily/settings", {"status": "PAUSED"})
    assert start(deployed).status == 201


@pytest.mark.parametrize(
    "body, status, words",
    [
        pytest.param({}, 422, "Nothing to run", id="nothing"),
        pytest.param({"deployment": "daily", "flow_name": "etl"}, 422, "not of both", id="both"),
        pytest.param({"deployment": "dayly"}, 404, "Deployment not found", id="unknown deployment"),
        pytest.param({"flow_name": "etk"}, 404, "Flow not found", id="unknown flow"),
        pytest.param({"flow_name": "etl", "flow_version": "9"}, 404, "Flow not found", id="unknown version"),
        pytest.param({"deployment": "../x"}, 422, "Invalid deployment name", id="a name that is a path"),
        pytest.param({"deployment": "daily", "parameters": {"nope": 1}}, 422, "Unknown parameter", id="parameter name"),
        pytest.param({"deployment": "daily", "parameters": {"day": 1}}, 422, "'day' expects str", id="parameter type"),
        pytest.param({"flow_name": "etl"}, 422, "Missing parameter 'day'", id="missing parameter"),
        pytest.param({"deployment": "daily", "execution_mode": "huge"}, 422, "Unknown execution mode", id="size"),
        pytest.param({"deployment": "daily", "max_workers": 0}, 422, "max_workers", id="no workers"),
        pytest.param({"deployment": "daily", "max_workers": 65}, 422, "max_workers", id="too many workers"),
        pytest.param({"deployment": "daily", "tags": {"": ""}}, 422, "tag key", id="a tag without key"),
        pytest.param({"deployment": "daily", "param": {}}, 422, "unknown field `param`", id="unknown field"),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_nothing_starts(
    deployed: Any, body: dict[str, Any], status: int, words: str
) -> None:
    reply = deployed.client("developer").post("/v1/runs", body)
    assert reply.status == status and words in reply.error["message"]
    assert deployed.client().get("/v1/runs").json()["items"] == []
    assert deployed.ports.dispatcher.sent == []


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#"}, id="refers to itself"),
        pytest.param({"$ref": "https://example.invalid/schema.json"}, id="refers to the network"),
        pytest.param({"$id": "https://example.invalid/", "$ref": "#/x"}, id="is from the network"),
        pytest.param({"multipleOf": 0}, id="divides by zero"),
        pytest.param({"pattern": "("}, id="has a broken pattern"),
        pytest.param({"type": ["nonsense"]}, id="has a type that is none"),
    ],
)
def test_a_schema_that_makes_no_sense_lets_every_value_through_to_the_flow(
    stage: Any, spec: Any, schema: dict[str, Any]
) -> None:
    parameter = {"name": "p", "type": "Any", "schema": schema, "required": True, "kind": "keyword_only"}
    assert stage.register(spec(parameters=[parameter])).status == 200
    for value in (7, "x", [1]):
        run = stage.client().post("/v1/runs", {"flow_name": "etl", "flow_version": "1.0", "parameters": {"p": value}})
        assert run.status in (201, 422), run.body


def test_an_unknown_deployment_is_answered_with_names_alike(deployed: Any) -> None:
    assert start(deployed, deployment="dayly").error["hint"] == "Did you mean daily?"


# --- idempotency --------------------------------------------------------------------------------------------


def test_the_same_idempotency_key_gives_the_same_run_and_200(deployed: Any) -> None:
    client = deployed.client("developer")
    headers = {"Idempotency-Key": "order-1"}
    first = client.post("/v1/runs", RUN, headers=headers)
    again = client.post("/v1/runs", RUN, headers=headers)
    assert (first.status, again.status) == (201, 200)
    assert again.json()["run_id"] == first.json()["run_id"]
    other = client.post("/v1/runs", {**RUN, "parameters": {"day": "friday"}}, headers=headers)
    assert other.status == 409


def test_from_many_callers_at_once_one_key_makes_one_run(deployed: Any) -> None:
    client, replies = deployed.client("developer"), []

    def post() -> None:
        replies.append(client.post("/v1/runs", RUN, headers={"Idempotency-Key": "k"}))

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(reply.status for reply in replies) == [200] * 15 + [201]
    assert len({reply.json()["run_id"] for reply in replies}) == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
def test_an_idempotency_key_that_is_none_is_refused(deployed: Any, key: str) -> None:
    reply = deployed.client("developer").post("/v1/runs", RUN, headers={"Idempotency-Key": key})
    assert reply.status == 422 and "Idempotency-Key" in reply.error["message"]


# --- looking ------------------------------------------------------------------------------------------------


def test_a_finished_run_shows_how_it_went(deployed: Any) -> None:
    run_id = start(deployed).json()["run_id"]
    encoded = encode({"rows": 3})
    result = store_result(deployed.ports.blobs, run_id=run_id, task_run_id="_flow", attempt_id="a", encoded=encoded)
    finish(deployed, run_id, result=result)
    shown = deployed.client("viewer").get(f"/v1/runs/{run_id}").json()
    assert (shown["status"], shown["duration_s"], shown["result"]) == ("SUCCEEDED", 2.5, {"rows": 3})
    assert (shown["invocations"], shown["error"], shown["result_url"]) == (1, None, None)


def test_a_failed_run_says_why(deployed: Any) -> None:
    run_id = start(deployed).json()["run_id"]
    finish(deployed, run_id, status=Status.FAILED)
    shown = deployed.client("viewer").get(f"/v1/runs/{run_id}").json()
    assert shown["error"] == {"error_type": "ValueError", "message": "it broke", "traceback": "Traceback …"}


def test_runs_are_listed_newest_first_and_filtered(deployed: Any) -> None:
    ids = []
    for n in range(5):
        deployed.clock.advance(10)
        ids.append(start(deployed, parameters={"limit": n}).json()["run_id"])
    finish(deployed, ids[0])
    finish(deployed, ids[1], status=Status.FAILED)
    client = deployed.client("viewer")

    def found(**query: Any) -> list[str]:
        return [run["run_id"] for run in client.get("/v1/runs", query=query).json()["items"]]

    assert found() == ids[::-1]
    assert found(status="FAILED") == [ids[1]]
    assert found(status=["FAILED", "SUCCEEDED"]) == [ids[1], ids[0]]
    assert found(flow_name="etl", deployment="daily", status="PENDING") == ids[:1:-1]
    assert found(flow_name="nobody") == []
    page = client.get("/v1/runs", query={"limit": 2}).json()
    assert found(limit=2, cursor=page["next_cursor"]) == [ids[2], ids[1]]
    for query in ({"status": "DONE"}, {"flow_name": "a b"}, {"deployment": "/"}, {"cursor": "x"}):
        assert client.get("/v1/runs", query=query).status == 422, query


def test_a_page_is_cut_where_an_answer_would_become_too_large(deployed: Any) -> None:
    for _ in range(8):
        deployed.clock.advance(1)
        assert start(deployed, parameters={"day": "x" * 1_000_000}).status == 201
    client = deployed.client("viewer")
    seen, cursor = [], None
    while True:
        page = client.get("/v1/runs", query={"limit": 100, **({"cursor": cursor} if cursor else {})})
        assert page.status == 200 and len(page.body) < 6 * 1024 * 1024
        seen += [run["run_id"] for run in page.json()["items"]]
        if not (cursor := page.json()["next_cursor"]):
            break
    assert len(seen) == len(set(seen)) == 8


def test_a_runs_tasks_events_and_logs_are_shown(deployed: Any) -> None:
    run_id = start(deployed).json()["run_id"]
    runs, ports = deployed.ports.runs, deployed.ports
    runs.put_tasks(
        run_id,
        [
            TaskRun(run_id, "load-1", "load", Status.PENDING, 0),
            TaskRun(run_id, "save-1", "save", Status.PENDING, 1, ("load-1",)),
        ],
    )
    runs.start_task(run_id, "load-1", attempt=1, attempt_id="a1", started_at="2026-03-04T12:00:01.000Z")
    encoded = encode([1, 2])
    ref = store_result(ports.blobs, run_id=run_id, task_run_id="load-1", attempt_id="a1", encoded=encoded)
    outcome = TaskOutcome(Status.SUCCEEDED, 1, "2026-03-04T12:00:02.000Z", result=ref, duration_s=1.0, peak_mib=40.5)
    runs.finish_task(run_id, "load-1", attempt_id="a1", outcome=outcome)
    events = [Event(run_id, ports.ids.unique(), "2026-03-04T12:00:00.000Z", f"e{n}") for n in range(3)]
    runs.append_events(events)
    log = LogWriter(ports.blobs, ports.clock, run_id=run_id, hop=0, invocation="i", console=lambda _: None)
    log.add("load-1", "stdout", "hello")
    log.add(None, "INFO", "bye")
    log.close()

    client = deployed.client("viewer")
    tasks = client.get(f"/v1/runs/{run_id}/tasks").json()["items"]
    assert [(t["task_run_id"], t["status"], t["result"], t["peak_mib"]) for t in tasks] == [
        ("load-1", "SUCCEEDED", [1, 2], 40.5),
        ("save-1", "PENDING", None, None),
    ]
    assert client.get(f"/v1/runs/{run_id}/tasks/load-1/result").json()["value"] == [1, 2]
    assert client.get(f"/v1/runs/{run_id}/tasks/save-1/result").status == 409
    assert client.get(f"/v1/runs/{run_id}/tasks/nope-1/result").status == 404

    after = client.get(f"/v1/runs/{run_id}/events", query={"after": events[0].id}).json()
    assert [e["type"] for e in after["items"]] == ["e1", "e2"]

    logs = client.get(f"/v1/runs/{run_id}/logs").json()
    assert [(line["task_run_id"], line["stream"], line["line"]) for line in logs["items"]] == [
        ("load-1", "stdout", "hello"),
        (None, "INFO", "bye"),
    ]
    assert logs["is_complete"] is False
    only = client.get(f"/v1/runs/{run_id}/logs", query={"task_run_id": "load-1"}).json()["items"]
    assert [line["line"] for line in only] == ["hello"]
    more = client.get(f"/v1/runs/{run_id}/logs", query={"after": logs["next_cursor"]}).json()
    assert more["items"] == [] and more["next_cursor"]


def test_cancelling_ends_a_waiting_run_and_a_repeat_changes_nothing(deployed: Any) -> None:
    run_id = start(deployed).json()["run_id"]
    client = deployed.client("developer")
    assert client.post(f"/v1/runs/{run_id}/cancel").json()["status"] == "CANCELLED"
    again = client.post(f"/v1/runs/{run_id}/cancel")
    assert again.status == 200 and again.json()["status"] == "CANCELLED"
    assert client.post("/v1/runs/etl-nope/cancel").status == 404


@pytest.mark.parametrize("what", ["", "/tasks", "/events", "/logs", "/result", "/tasks/load-1/result"])
def test_a_run_that_is_not_there_is_404_and_an_id_that_is_none_422(deployed: Any, what: str) -> None:
    client = deployed.client("viewer")
    assert client.get(f"/v1/runs/etl-20260304T120000Z-abc{what}").status == 404
    assert client.get(f"/v1/runs/..{what}").status == 422


# --- results ------------------------------------------------------------------------------------------------


def ended_with(stage: Any, ref: ResultRef | None) -> str:
    run_id: str = start(stage).json()["run_id"]
    finish(stage, run_id, result=ref)
    return run_id


def stored(stage: Any, value: Any) -> ResultRef:
    return store_result(stage.ports.blobs, run_id="r", task_run_id="_flow", attempt_id="a", encoded=encode(value))


def test_a_large_json_result_is_given_by_its_own_route_and_as_a_url(deployed: Any) -> None:
    value = ["x" * 1000] * 100
    run_id = ended_with(deployed, stored(deployed, value))
    client = deployed.client("viewer")
    shown = client.get(f"/v1/runs/{run_id}").json()
    assert shown["result"] is None and shown["result_url"].endswith("expires_s=900")
    result = client.get(f"/v1/runs/{run_id}/result").json()
    assert (result["value"], result["url"], result["codec"]) == (value, None, "json")


def test_a_result_over_a_mebibyte_is_only_a_url(deployed: Any) -> None:
    run_id = ended_with(deployed, stored(deployed, "x" * 1_100_000))
    result = deployed.client("viewer").get(f"/v1/runs/{run_id}/result").json()
    assert result["value"] is None and result["url"].startswith("memory://") and result["size_bytes"] > 1_000_000


def test_a_pickle_is_never_opened_only_handed_on(deployed: Any) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("the pickle was opened",))

    data = pickle.dumps(Trap())
    ref = ResultRef(PICKLE, len(data), hashlib.sha256(data).hexdigest(), inline=data)
    run_id = ended_with(deployed, ref)
    client = deployed.client("viewer")
    assert client.get(f"/v1/runs/{run_id}").json()["result"] is None
    result = client.get(f"/v1/runs/{run_id}/result").json()
    assert result["value"] is None
    assert base64.b64decode(result["url"].removeprefix("data:application/octet-stream;base64,")) == data


def test_values_json_has_no_word_for_are_shown_as_text(deployed: Any) -> None:
    value = {"at": dt.datetime(2026, 3, 4), "sum": decimal.Decimal("1.50"), "big": 2**70, "pair": (1, 2)}
    run_id = ended_with(deployed, stored(deployed, value))
    shown = deployed.client("viewer").get(f"/v1/runs/{run_id}").json()["result"]
    assert shown["at"] == "2026-03-04T00:00:00" and shown["sum"] == "1.50" and shown["pair"] == [1, 2]


@pytest.mark.parametrize("data", [b"", b"{", b"NaN", b'"\\ud800"', b"[" * 5000, b"\xff"])
def test_json_that_is_none_is_never_passed_on(deployed: Any, data: bytes) -> None:
    run_id = ended_with(deployed, ResultRef("json", len(data), hashlib.sha256(data).hexdigest(), inline=data))
    client = deployed.client("viewer")
    assert client.get(f"/v1/runs/{run_id}").json()["result"] is None
    reply = client.get(f"/v1/runs/{run_id}/result")
    assert reply.status == 200 and reply.json()["value"] is None


def test_a_run_that_goes_on_has_no_result_yet_and_one_without_has_none(deployed: Any) -> None:
    run_id = start(deployed).json()["run_id"]
    client = deployed.client("viewer")
    assert client.get(f"/v1/runs/{run_id}/result").status == 409
    finish(deployed, run_id)
    reply = client.get(f"/v1/runs/{run_id}/result")
    assert reply.status == 404 and "SUCCEEDED" in reply.error["hint"]
