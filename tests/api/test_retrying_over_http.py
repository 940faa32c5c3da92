"""`retry_of` in `POST /v1/runs`: which runs may be retried, and by whom one was."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.states import Status


def start(deployed: Any, **body: Any) -> Any:
    return deployed.client("developer").post("/v1/runs", {"deployment": "daily", **body})


def ended(deployed: Any, status: Status) -> str:
    run_id = str(start(deployed).json()["run_id"])
    runs = deployed.ports.runs
    if status is not Status.CANCELLED:
        runs.claim_run(run_id, owner="me", now=0.0, lease_s=1e12, hop=0)
    owner = None if status is Status.CANCELLED else "me"
    assert runs.finish_run(run_id, owner=owner, status=status, ended_at="2026-03-04T13:00:00.000Z") is not None
    return run_id


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_run_that_did_not_succeed_can_be_retried_and_the_new_one_names_it(deployed: Any, status: Status) -> None:
    run_id = ended(deployed, status)

    again = start(deployed, retry_of=run_id)

    assert (again.status, again.json()["retry_of"]) == (201, run_id)
    assert start(deployed).json()["retry_of"] is None
    assert deployed.client("viewer").get(f"/v1/runs/{again.json()['run_id']}").json()["retry_of"] == run_id


def test_a_run_that_goes_on_or_succeeded_is_not_retried(deployed: Any) -> None:
    going = start(deployed).json()["run_id"]
    for run_id, words in ((going, "goes on by itself"), (ended(deployed, Status.SUCCEEDED), "nothing to finish")):
        reply = start(deployed, retry_of=run_id)
        assert reply.status == 409 and words in reply.error["message"]


def test_a_run_that_is_not_there_is_not_retried(deployed: Any) -> None:
    assert start(deployed, retry_of="etl-20260101T000000Z-aaaaaa").status == 404
    assert start(deployed, retry_of="../x").status == 422
