"""`Flow.deploy()`, `Flow.run()` and `deploy_artifact()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dagy as sdk
from dagy.artifact import load_target
from dagy.config import delete_profile
from dagy.core.errors import InvalidInput

Write = Callable[..., str]


@pytest.fixture
def etl(project: Write) -> Any:
    return load_target(f"{project()}:etl")


def test_a_flow_deploys_itself(stage: Any, etl: Any) -> None:
    result = etl.deploy(
        name="etl-prod", namespace="data/orders", tags={"team": "data"}, schedule="0 6 * * *", execution_mode="small"
    )

    assert (result.flow_name, result.flow_version, result.deployment_name, result.skipped) == (
        "etl",
        "latest",
        "etl-prod",
        False,
    )
    deployment = stage.ports.registry.get_deployment("etl-prod")
    assert (deployment.size.value, deployment.schedule.expression) == ("small", "0 6 * * *")
    flow = stage.ports.registry.get_flow("etl", "latest")
    assert (flow.namespace, dict(flow.tags)) == ("data/orders", {"team": "data"})


def test_the_same_flow_again_is_skipped_unless_forced(stage: Any, etl: Any) -> None:
    etl.deploy()

    assert etl.deploy().skipped is True
    assert etl.deploy(force=True).skipped is False
    assert stage.uploads == 2


def test_a_deployed_flow_runs_there(stage: Any, etl: Any) -> None:
    etl.deploy()

    run = etl.run("there", n=2)

    assert (run.status, run.deployment, run.parameters) == ("PENDING", "etl", {"source": "there", "n": 2})


def test_without_an_api_deploying_and_running_happen_here(stage: Any, etl: Any) -> None:
    delete_profile("dev")

    assert etl.deploy().result == 6
    assert etl.run(source="x").status == "SUCCEEDED"
    assert stage.uploads == 0


def test_an_artifact_is_deployed_through_a_client(stage: Any, etl: Any) -> None:
    client = sdk.DagyClient(base_url=stage.url, token=stage.key())

    result = sdk.deploy_artifact(sdk.build_artifact(etl), client)

    assert result.deployment_name == "etl"
    assert stage.ports.registry.get_flow("etl", "latest").artifact.uri == result.artifact_s3_uri
    client.close()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"schedule": "61 * * * *"}, id="a bad schedule"),
        pytest.param({"execution_mode": "huge"}, id="a bad size"),
        pytest.param({"name": "a/b"}, id="a bad name"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(stage: Any, etl: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        etl.deploy(**options)
    assert stage.asked == []
