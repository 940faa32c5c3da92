"""Two people who change one thing: the second is told, and overwrites nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

SETTINGS = "/v1/deployments/daily/settings"


def test_every_answer_about_a_deployment_carries_its_version_as_etag(deployed: Any) -> None:
    client = deployed.client("developer")
    assert client.get("/v1/deployments/daily").headers["etag"] == '"1"'
    assert client.put(SETTINGS, {"tags": {"a": "b"}}).headers["etag"] == '"2"'
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}
    assert client.post("/v1/deployments", body).headers["etag"] == '"3"'


def test_a_change_of_what_was_seen_is_made_and_one_of_what_is_past_is_412(deployed: Any) -> None:
    client = deployed.client("developer")
    seen = client.get("/v1/deployments/daily").headers["etag"]
    assert client.put(SETTINGS, {"tags": {"by": "ann"}}, headers={"If-Match": seen}).status == 200
    late = client.put(SETTINGS, {"tags": {"by": "bob"}}, headers={"If-Match": seen})
    assert (late.status, late.error["code"]) == (412, "precondition_failed")
    assert late.error["message"] == "Deployment 'daily' is at version 2; If-Match says 1"
    assert client.get("/v1/deployments/daily").json()["tags"] == {"by": "ann"}


def test_a_deploy_of_what_is_not_there_any_more_is_412(deployed: Any) -> None:
    body = {"name": "nightly", "flow_name": "etl", "flow_version": "1.0"}
    reply = deployed.client("developer").post("/v1/deployments", body, headers={"If-Match": '"1"'})
    assert reply.status == 412 and "is not there" in reply.error["message"]


@pytest.mark.parametrize("value", ["1", "*", 'W/"1"', '"1", "2"', '""', '"x"', '"' + "1" * 30 + '"'])
def test_another_if_match_is_refused(deployed: Any, value: str) -> None:
    reply = deployed.client("developer").put(SETTINGS, {"tags": {}}, headers={"If-Match": value})
    assert reply.status == 422 and "Invalid If-Match" in reply.error["message"]


def test_if_match_is_refused_where_it_would_be_ignored(deployed: Any) -> None:
    reply = deployed.client("developer").delete("/v1/deployments/daily", headers={"If-Match": '"1"'})
    assert reply.status == 422 and "does not honour If-Match" in reply.error["message"]
    assert deployed.client("viewer").get("/v1/deployments/daily").status == 200


def test_of_16_editors_of_one_version_one_gets_through(deployed: Any) -> None:
    barrier = threading.Barrier(16)
    client = deployed.client("developer")

    def edit(number: int) -> int:
        barrier.wait(timeout=10)
        answer: int = client.put(SETTINGS, {"tags": {"by": str(number)}}, headers={"If-Match": '"1"'}).status
        return answer

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(edit, range(16))) == [200] + [412] * 15
    assert client.get("/v1/deployments/daily").json()["deployment_version"] == 2


def test_a_limit_of_runs_is_kept_until_it_is_cleared(deployed: Any) -> None:
    client = deployed.client("developer")
    assert client.put(SETTINGS, {"max_concurrent_runs": 3}).json()["max_concurrent_runs"] == 3
    assert client.put(SETTINGS, {"tags": {}}).json()["max_concurrent_runs"] == 3
    assert client.put(SETTINGS, {"max_concurrent_runs": None}).json()["max_concurrent_runs"] is None


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_of_runs_that_cannot_be_is_refused(deployed: Any, limit: int) -> None:
    reply = deployed.client("developer").put(SETTINGS, {"max_concurrent_runs": limit})
    assert reply.status == 422 and "out of range" in reply.error["message"]
