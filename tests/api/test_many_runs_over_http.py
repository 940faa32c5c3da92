"""Lists of runs with every filter, many runs started at once, and all that match cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.errors import Unavailable
from dagy_runtime.adapters.memory import MemoryRunStore


def start(stage: Any, *days: str, **more: Any) -> Any:
    body = {"deployment": "daily", "items": [{"parameters": {"day": day}} for day in days], **more}
    return stage.client("developer").post("/v1/runs/bulk", body)


def listed(stage: Any, **query: Any) -> list[str]:
    found = stage.client("viewer").get("/v1/runs", query=query)
    assert found.status == 200, found.body
    return [run["parameters"]["day"] for run in found.json()["items"]]


@pytest.fixture
def week(deployed: Any) -> Any:
    """Three runs, an hour apart, from 12:00 on."""
    for day in ("monday", "tuesday", "wednesday"):
        body = {"deployment": "daily", "parameters": {"day": day}}
        assert deployed.client("developer").post("/v1/runs", body).status == 201
        deployed.clock.advance(3600)
    return deployed


@pytest.mark.parametrize(
    "query, expected",
    [
        pytest.param({"after": "2026-03-04T12:00:00Z"}, ["wednesday", "tuesday"], id="after, not at"),
        pytest.param({"before": "2026-03-04T14:00:00Z"}, ["tuesday", "monday"], id="before, not at"),
        pytest.param({"after": "2026-03-04T14:30:00+02:00", "before": "2026-03-04T14:00:00Z"}, ["tuesday"], id="both"),
        pytest.param({"after": "2026-03-04T13:00:00Z", "before": "2026-03-04T12:00:00Z"}, [], id="no time at all"),
        pytest.param({"trigger": "manual"}, ["wednesday", "tuesday", "monday"], id="a trigger"),
        pytest.param({"trigger": "schedule"}, [], id="another trigger"),
        pytest.param(
            {
                "flow_name": "etl",
                "deployment": "daily",
                "status": "PENDING",
                "trigger": "manual",
                "after": "2026-03-04",
            },
            ["wednesday", "tuesday", "monday"],
            id="everything",
        ),
    ],
)
def test_runs_are_found_by_time_and_trigger(week: Any, query: dict[str, str], expected: list[str]) -> None:
    assert listed(week, **query) == expected


@pytest.mark.parametrize("query", [{"after": "yesterday"}, {"before": ""}, {"trigger": "magic"}, {"after": "9" * 99}])
def test_a_filter_that_is_none_is_refused(week: Any, query: dict[str, str]) -> None:
    assert week.client("viewer").get("/v1/runs", query=query).status == 422


def test_many_runs_are_started_in_the_order_of_their_items(deployed: Any) -> None:
    reply = start(deployed, "monday", "tuesday", "wednesday")
    assert reply.status == 201 and reply.json()["total"] == 3
    runs = [deployed.client("viewer").get(f"/v1/runs/{run_id}").json() for run_id in reply.json()["run_ids"]]
    assert [run["parameters"]["day"] for run in runs] == ["monday", "tuesday", "wednesday"]
    assert len(deployed.ports.dispatcher.sent) == 3


def test_one_wrong_item_starts_none_and_is_named(deployed: Any) -> None:
    reply = start(deployed, "monday", 7)  # type: ignore[arg-type]
    assert reply.status == 422 and reply.error["message"].startswith("Item 1: ")
    assert listed(deployed) == [] and deployed.ports.dispatcher.sent == []


@pytest.mark.parametrize("count", [0, 101])
def test_no_runs_and_too_many_are_refused(deployed: Any, count: int) -> None:
    assert start(deployed, *["monday"] * count).status == 422


class Stopping(MemoryRunStore):
    """Fails at the third run, once."""

    made = 0

    def create_run(self, *args: Any, **kwargs: Any) -> Any:
        self.made += 1
        if self.made == 3:
            raise Unavailable("The table did not answer")
        return super().create_run(*args, **kwargs)


def test_a_repeat_with_the_same_key_goes_on_where_the_first_stopped(new_stage: Any, spec: Any) -> None:
    stage = new_stage(runs=Stopping())
    stage.register(spec())
    body = {"flow_name": "etl", "items": [{"parameters": {"day": str(day)}} for day in range(5)]}
    replies = [
        stage.client("developer").post("/v1/runs/bulk", body, headers={"Idempotency-Key": "k"}) for _ in range(3)
    ]
    assert [reply.status for reply in replies] == [503, 201, 200]
    assert replies[1].json() == replies[2].json() and replies[1].json()["total"] == 5
    assert sorted(listed(stage)) == ["0", "1", "2", "3", "4"]


def cancel(stage: Any, **body: Any) -> Any:
    return stage.client("developer").post("/v1/runs/cancel", body)


def test_a_dry_run_names_the_runs_and_ends_none(week: Any) -> None:
    reply = cancel(week, deployment="daily", dry_run=True, after="2026-03-04T12:30:00Z").json()
    assert (reply["total"], reply["dry_run"], len(reply["run_ids"])) == (2, True, 2)
    assert len(listed(week, status="PENDING")) == 3


def test_all_that_match_are_cancelled_and_no_others(week: Any) -> None:
    reply = cancel(week, flow_name="etl", before="2026-03-04T14:00:00Z")
    assert reply.status == 200 and reply.json()["total"] == 2
    assert listed(week, status="CANCELLED") == ["tuesday", "monday"]
    assert listed(week, status="PENDING") == ["wednesday"]
    assert cancel(week, flow_name="etl", before="2026-03-04T14:00:00Z").json()["run_ids"] == []


def test_more_than_a_page_is_cancelled_page_by_page(deployed: Any) -> None:
    for _ in range(3):
        start(deployed, *["monday"] * 50)
    first = cancel(deployed, deployment="daily").json()
    second = cancel(deployed, deployment="daily", cursor=first["next_cursor"]).json()
    assert (first["total"], second["total"], second["next_cursor"]) == (100, 50, None)
    assert listed(deployed, status="PENDING") == []


def test_what_to_cancel_must_be_said(week: Any) -> None:
    for body in ({}, {"statuses": ["PENDING"]}):
        assert cancel(week, **body).status == 422
    assert cancel(week, flow_name="etl", statuses=["LOST"]).status == 422
