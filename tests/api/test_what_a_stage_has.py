"""A stage says what it can carry out, and refuses the rest with words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagy.core.sizes import Executor, Size
from dagy.core.spec import FlowSpec
from dagy_runtime.api.supported import offer

Spec = Callable[..., FlowSpec]
NO_LARGE = {
    "message": "Stage 'test' has no size 'large'",
    "hint": "It has nano, small. Its functions are chosen when it is provisioned: "
    "dagy infra deploy --stage test --sizes nano,small,large",
}


@pytest.fixture
def small_stage(new_stage: Callable[..., Any], spec: Spec) -> Any:
    """A stage of two sizes, with a flow."""
    stage = new_stage(sizes=[Size.SMALL, Size.NANO])
    assert stage.register(spec()).status == 200
    return stage


def deployment(**settings: Any) -> dict[str, Any]:
    return {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "x"}, **settings}


def test_a_stage_says_what_it_has(small_stage: Any) -> None:
    assert small_stage.client("viewer").get("/v1/stage").json() == {
        "stage": "test",
        "version": "9.9.9",
        "sizes": ["nano", "small"],
        "isolations": ["in-process", "task-isolated"],
        "executors": ["lambda", "step-functions"],
        "has_packages": True,
        "max_artifact_bytes": 250 * 2**20,
        "has_run_limits": True,
        "platform": {"system": "lambda", "architecture": "arm64", "python_version": "3.13"},
    }


def test_the_executor_ecs_is_offered_where_there_are_containers() -> None:
    assert offer("test", [Size.NANO], has_containers=True).executors == tuple(Executor)


@pytest.mark.parametrize(
    "method, path, body",
    [
        pytest.param("POST", "/v1/deployments", deployment(execution_mode="large"), id="a deployment"),
        pytest.param("PUT", "/v1/deployments/there/settings", {"execution_mode": "large"}, id="a setting"),
        pytest.param("POST", "/v1/runs", {"deployment": "there", "execution_mode": "large"}, id="a run"),
    ],
)
def test_a_size_the_stage_has_no_function_for_is_refused(
    small_stage: Any, method: str, path: str, body: dict[str, Any]
) -> None:
    client = small_stage.client("developer")
    assert client.post("/v1/deployments", deployment(name="there", execution_mode="small")).status == 200

    refused = client.request(method, path, json_body=body)

    assert refused.status == 422
    assert {key: refused.error[key] for key in ("message", "hint")} == NO_LARGE
    assert [d["execution_mode"] for d in client.get("/v1/deployments").json()["items"]] == ["small"]
    assert client.get("/v1/runs").json()["items"] == []


def test_a_stage_without_the_default_size_wants_one_named(new_stage: Callable[..., Any], spec: Spec) -> None:
    stage = new_stage(sizes=[Size.MEDIUM])
    stage.register(spec())
    client = stage.client("developer")
    assert client.post("/v1/deployments", deployment()).error["message"] == "Stage 'test' has no size 'nano'"
    run = {"flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "x"}}
    assert client.post("/v1/runs", run).status == 422
    assert client.post("/v1/runs", {**run, "execution_mode": "medium"}).status == 201


def test_a_deployment_whose_size_is_gone_can_be_paused_and_moved_but_not_run(
    new_stage: Callable[..., Any], spec: Spec
) -> None:
    before = new_stage()
    before.register(spec())
    before.client("developer").post("/v1/deployments", deployment(execution_mode="large"))
    after = new_stage(sizes=[Size.NANO, Size.SMALL], registry=before.ports.registry)
    client = after.client("developer")

    assert client.post("/v1/runs", {"deployment": "daily"}).error["message"] == NO_LARGE["message"]
    assert client.put("/v1/deployments/daily/settings", {"status": "PAUSED"}).status == 200
    assert client.put("/v1/deployments/daily/settings", {"execution_mode": "small"}).status == 200
    assert client.post("/v1/runs", {"deployment": "daily"}).status == 201
