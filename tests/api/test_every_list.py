"""Every list is given page by page: pages of one hold, one after the other, what a page of all holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.api.routes import BASE, ROUTES, Route
from dagy_runtime.values import DeadLetter, Event, TaskRun

LISTS = [route for route in ROUTES if route.response and "next_cursor" in route.response.__struct_fields__
         and route.method == "GET"]  # fmt: skip
FOLLOWED = {"/runs/{run_id}/events": "after", "/runs/{run_id}/logs": "after"}  # lists that grow at their end


@pytest.fixture
def filled(deployed: Any, spec: Any, tmp_path: Path) -> Any:
    """A stage with at least three of everything; `run_id` is the run that they belong to."""
    client, ports = deployed.client("admin"), deployed.ports
    for number in range(3):
        assert deployed.register(spec(version=f"{number}.0")).status == 200
        body = {"name": f"d{number}", "flow_name": "etl", "flow_version": "1.0"}
        assert client.post("/v1/deployments", body).status == 200
        assert client.put("/v1/deployments/daily/settings", {"tags": {"n": str(number)}}).status == 200
        run_id = client.post("/v1/runs", {"deployment": "daily"}).json()["run_id"]
        assert client.post("/v1/drafts", {"name": f"draft {number}", "canvas_json": "{}"}).status == 201
        assert client.post("/v1/keys", {"name": f"key {number}"}).status == 201
        assert client.post("/v1/users", {"email": f"u{number}@example.com"}).status == 201
        package = deployed.upload_package(tmp_path, f"a = {number}")
        assert client.post("/v1/packages", package).status == 201
    at = to_iso(ports.clock.now())
    for number in range(3):
        ports.runs.put_dead_letter(DeadLetter(f"letter-{number}", at, "gone", {"kind": "advance-run"}, run_id))
    ports.runs.put_tasks(run_id, [TaskRun(run_id, f"t-{n}", "t", Status.PENDING, n) for n in range(3)])
    ports.runs.append_events([Event(run_id, ports.ids.unique(), at, "run_started") for _ in range(3)])
    lines = "".join(f'{{"at": "{at}", "task_run_id": "t-1", "stream": "stdout", "line": "{n}"}}\n' for n in range(3))
    ports.blobs.put(f"runs/{run_id}/logs/0000-x-000000.jsonl", lines.encode())
    deployed.run_id = run_id
    return deployed


def test_all_lists_of_the_api_are_tried() -> None:
    assert len(LISTS) == 14
    for route in LISTS:
        fields = route.query.__struct_fields__ if route.query else ()
        assert {"limit", FOLLOWED.get(route.path, "cursor")} <= set(fields), route.path


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_pages_of_one_hold_what_a_page_of_all_holds(filled: Any, route: Route) -> None:
    name = "etl" if route.path.startswith("/flows") else "daily"
    path = BASE + route.path.format(name=name, run_id=filled.run_id)
    client = filled.client("admin")
    whole = client.get(path, query={"limit": 1000}).json()["items"]
    assert len(whole) >= 3

    found: list[Any] = []
    query: dict[str, Any] = {"limit": 1}
    for _ in range(len(whole) + 2):
        page = client.get(path, query=query).json()
        assert len(page["items"]) <= 1
        found += page["items"]
        if not page["items"] or page["next_cursor"] is None:
            break
        query[FOLLOWED.get(route.path, "cursor")] = page["next_cursor"]
    assert found == whole


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_a_limit_that_is_none_is_refused(stage: Any, route: Route) -> None:
    for limit in ("0", "-1", "10001", "1.5", "ten", ""):
        reply = stage.client().get(BASE + route.path.format(name="daily", run_id="etl-1"), query={"limit": limit})
        assert reply.status == 422 and "limit" in reply.error["message"]
