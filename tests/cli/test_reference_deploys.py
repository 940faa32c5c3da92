"""The examples of the references that deploy and trigger, word for word, against a stage on this machine.

Only the addresses and tokens of their clients are the stage's. The others are in test_reference_examples.py.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from dagy import DagyClient
from dagy.artifact import load_target

ORDER_ETL = """
from dagy import flow, task

@task
def extract(source: str) -> list:
    return [source]

@task
def transform(records: list) -> list:
    return records

@task
def load(records: list) -> dict:
    return {"loaded": len(records)}

@flow(name="order_etl", version="2.1.0")
def order_etl(source: str = "s3://data/orders/"):
    raw = extract(source)
    clean = transform(raw)
    return load(clean)
"""
DEPLOYED = """
result = order_etl.deploy(
    name="order-etl-prod",
    namespace="data/orders",
    tags={
        "team": "data-eng",
        "env": "prod",
        "criticality": "high",
    },
    schedule="0 6 * * *",
)
"""
TAGGED = """
result = my_flow.deploy(
    name="load-orders-prod",
    tags={
        "team": "data-eng",
        "env": "prod",
        "cost-center": "analytics",
        "criticality": "high",
    },
)
"""
NAMED = """
result = my_flow.deploy(
    name="load-orders",
    namespace="data/ingestion",
)
"""
ARTIFACT = """
from dagy import build_artifact

artifact = build_artifact(my_flow)
print(artifact.path)  # Path to ZIP file

from dagy import DagyClient, deploy_artifact

client = DagyClient(base_url="https://api.dagy.io", token="<token>")
deploy_artifact(artifact, client)
"""
TRIGGERED = """
client.trigger_run({
    "flow_name": "my_pipeline",
    "flow_version": "1.0.0",
    "parameters": {"source": "s3://bucket/data.csv"},
})
"""
SETTINGS = """
import requests

resp = requests.put(
    "https://api.dagy.io/v1/deployments/daily-etl/settings",
    headers={"Authorization": f"Bearer {token}"},
    json={
        "execution_mode": "micro",
        "schedule": "0 9 * * 1-5",
    },
)
updated = resp.json()
"""
MY_FLOW = """
from dagy import flow, task

@task
def read(source: str) -> str:
    return source

@flow{settings}
def my_flow(source: str = "s3://data/"):
    return read(source)
"""


def executed(block: str, stage: Any, **names: Any) -> dict[str, Any]:
    """The names that the block leaves behind."""
    for theirs, ours in (("https://api.dagy.io/v1", f"{stage.url}/v1"), ("https://api.dagy.io", stage.url)):
        block = block.replace(theirs, ours)
    block = block.replace("<token>", stage.key())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of requests, about its own dependencies
        exec(compile(block, "reference", "exec"), names)  # noqa: S102
    return names


def loaded(source: str, name: str, path: str) -> Any:
    file = Path.cwd() / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    return load_target(f"{file}:{name}")


def test_a_flow_with_all_three_dimensions(stage: Any) -> None:
    result = executed(DEPLOYED, stage, order_etl=loaded(ORDER_ETL, "order_etl", "order_etl_of_the_reference.py"))[
        "result"
    ]
    assert (result.flow_name, result.flow_version, result.deployment_name) == ("order_etl", "2.1.0", "order-etl-prod")
    flow = stage.ports.registry.get_flow("order_etl", "2.1.0")
    assert flow.namespace == "data/orders"
    assert dict(flow.tags) == {"team": "data-eng", "env": "prod", "criticality": "high"}
    assert stage.ports.registry.get_deployment("order-etl-prod").schedule.expression == "0 6 * * *"


def test_tags(stage: Any) -> None:
    my_flow = loaded(MY_FLOW.format(settings=""), "my_flow", "tagged_flow.py")
    executed(TAGGED, stage, my_flow=my_flow)
    assert dict(stage.ports.registry.get_flow("my_flow", "latest").tags) == {
        "team": "data-eng",
        "env": "prod",
        "cost-center": "analytics",
        "criticality": "high",
    }


@pytest.mark.parametrize(
    "block, namespace",
    [
        pytest.param(NAMED, "data/ingestion", id="given"),
        pytest.param("result = my_flow.deploy()", "data/orders", id="derived from where the file stands"),
    ],
)
def test_a_namespace(stage: Any, block: str, namespace: str, request: pytest.FixtureRequest) -> None:
    file = f"data/orders/named_flow_{len(request.node.name)}.py"  # modules stay loaded
    executed(block, stage, my_flow=loaded(MY_FLOW.format(settings=""), "my_flow", file))
    assert stage.ports.registry.get_flow("my_flow", "latest").namespace == namespace


def test_an_artifact_through_a_client(stage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    names = executed(ARTIFACT, stage, my_flow=loaded(MY_FLOW.format(settings=""), "my_flow", "artifact_flow.py"))
    assert capsys.readouterr().out.strip() == str(names["artifact"].path)
    assert stage.ports.registry.get_flow("my_flow", "latest").artifact.sha256 == names["artifact"].sha256
    names["client"].close()


def test_a_run_of_one_version(stage: Any) -> None:
    pinned = loaded(MY_FLOW.format(settings='(name="my_pipeline", version="1.0.0")'), "my_flow", "pinned_flow.py")
    pinned.deploy()
    client = DagyClient(base_url=stage.url, token=stage.key())
    executed(TRIGGERED, stage, client=client)
    [run] = client.list_runs().items
    assert (run.flow_name, run.flow_version, run.parameters) == (
        "my_pipeline",
        "1.0.0",
        {"source": "s3://bucket/data.csv"},
    )
    client.close()


def test_settings_are_changed_without_a_deploy(stage: Any) -> None:
    loaded(MY_FLOW.format(settings='(name="daily-etl")'), "my_flow", "settings_flow.py").deploy()
    updated = executed(SETTINGS, stage, token=stage.key())["updated"]
    assert updated["execution_mode"] == "micro"
    assert stage.ports.registry.get_deployment("daily-etl").schedule.expression == "0 9 * * 1-5"
