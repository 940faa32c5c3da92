"""Each setting of a deployment is changed alone, without deploying; all others stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagy.client import models as m

BEFORE = {"schedule": "0 6 * * *", "timezone": "Europe/Athens", "tags": {"a": "b"}, "parameters": {"day": "monday"}}
SETTINGS: list[tuple[str, Any, Any]] = [
    ("execution_mode", "micro", "micro"),
    ("execution_mode", ["large", "task-isolated"], "large"),
    ("isolation", "task-isolated", "task-isolated"),
    ("schedule", "0 9 * * 1-5", "0 9 * * 1-5"),
    ("schedule", None, None),
    ("timezone", "UTC", "UTC"),
    ("default_executor", "lambda", "lambda"),
    ("tags", {"env": "prod"}, {"env": "prod"}),
    ("tags", {f"k{n}": "v" for n in range(50)}, {f"k{n}": "v" for n in range(50)}),
    ("tags", None, {}),
    ("packages", "{slug}", "{slug}"),
    ("packages", None, []),
    ("parameters", {"day": "friday"}, {"day": "friday"}),
    ("status", "PAUSED", "PAUSED"),
    ("max_concurrent_runs", None, None),
]
FOLLOWS = {  # what of the answer changes along with a setting
    "schedule": {"timezone", "next_fire_times"}, "timezone": {"next_fire_times"}, "status": {"next_fire_times"},
}  # fmt: skip
STAMPS = {"deployment_version", "updated_at", "updated_by"}


@pytest.fixture
def slug(deployed: Any, tmp_path: Path) -> str:
    made = deployed.client().post("/v1/packages", deployed.upload_package(tmp_path))
    assert made.status == 201
    return str(made.json()["slug"])


def test_every_setting_is_in_the_table() -> None:
    assert {name for name, *_ in SETTINGS} | {"deployment_version"} == set(
        m.DeploymentSettingsRequest.__struct_fields__
    )


@pytest.mark.parametrize("name, value, shown", SETTINGS)
def test_one_setting_changes_and_the_others_stay(deployed: Any, slug: str, name: str, value: Any, shown: Any) -> None:
    client = deployed.client("developer")
    value, shown = ([slug], [slug]) if value == "{slug}" else (value, shown)
    assert client.put("/v1/deployments/daily/settings", BEFORE).status == 200
    before = client.get("/v1/deployments/daily").json()
    deployed.clock.advance(60)

    reply = client.put("/v1/deployments/daily/settings", {name: value})

    assert reply.status == 200, reply.body
    after = reply.json()
    assert after == client.get("/v1/deployments/daily").json()
    assert after[name] == shown and after["deployment_version"] == before["deployment_version"] + 1
    mode = {"isolation"} if isinstance(value, list) and name == "execution_mode" else set()
    changed = {field for field in before if before[field] != after[field]}
    assert changed <= {name, *FOLLOWS.get(name, ()), *mode, *STAMPS}
    assert (after["flow_version"], after["artifact_sha256"]) == (before["flow_version"], before["artifact_sha256"])


def test_all_at_once_is_one_version(deployed: Any, slug: str) -> None:
    client = deployed.client("developer")
    everything = {
        "execution_mode": ["small", "task-isolated"], "schedule": "@daily", "timezone": "Asia/Tokyo",
        "default_executor": "lambda", "tags": {"a": "c"}, "packages": [slug], "parameters": {"day": "x"},
        "status": "PAUSED", "deployment_version": 1,
    }  # fmt: skip
    shown = client.put("/v1/deployments/daily/settings", everything).json()
    assert shown["deployment_version"] == 2
    assert {**everything, "execution_mode": "small", "deployment_version": 2}.items() <= shown.items()
    assert shown["isolation"] == "task-isolated"
