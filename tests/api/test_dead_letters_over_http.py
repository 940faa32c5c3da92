"""Dead letters over HTTP: they are listed, looked at, and what they were about is done after all, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.adapters.memory.runs import MemoryRunStore
from dagy_runtime.engine.submit import start_run
from dagy_runtime.messages import (
    AdvanceRun,
    FireSchedule,
    Message,
    Reconcile,
    ReleaseTasks,
    RunTask,
    StartRun,
    to_json,
)
from dagy_runtime.values import DeadLetter

AT = "2026-03-04T12:00:00.000Z"
DAILY = {"schedule": "0 9 * * *", "timezone": "UTC"}


@pytest.fixture
def runs(deployed: Any) -> Any:
    return deployed.ports.runs


def run_of(deployed: Any, **body: Any) -> str:
    reply = deployed.client("developer").post("/v1/runs", {"deployment": "daily", **body})
    assert reply.status == 201, reply.body
    return str(reply.json()["run_id"])


def ended(deployed: Any, status: Status, **body: Any) -> str:
    run_id = run_of(deployed, **body)
    store = deployed.ports.runs
    store.claim_run(run_id, owner="me", now=0.0, lease_s=1e12, hop=0)
    assert store.finish_run(run_id, owner="me", status=status, ended_at="2026-03-04T13:00:00.000Z") is not None
    return run_id


def bury(deployed: Any, message: Message | dict[str, Any], letter_id: str = "letter-1", **more: Any) -> str:
    data = message if isinstance(message, dict) else to_json(message)
    run_id = getattr(message, "run_id", None)
    deployed.ports.runs.put_dead_letter(DeadLetter(letter_id, AT, "AWS Lambda gave up", data, run_id, **more))
    return letter_id


def replay(deployed: Any, letter_id: str, **options: Any) -> Any:
    return deployed.client("developer").post(f"/v1/dead-letters/{letter_id}/replay", **options)


ABOUT_A_RUN = {
    "advance-run": AdvanceRun,
    "run-task": lambda run_id: RunTask(run_id, "load-1", 1),
    "release-tasks": lambda run_id: ReleaseTasks(run_id, (("load-1", 1),)),
}


def test_a_letter_is_listed_without_its_message_and_shown_with_it(deployed: Any) -> None:
    run_id = ended(deployed, Status.FAILED)
    bury(deployed, AdvanceRun(run_id))
    client = deployed.client("viewer")

    [listed] = client.get("/v1/dead-letters").json()["items"]
    shown = client.get("/v1/dead-letters/letter-1").json()

    assert listed == {
        "id": "letter-1", "at": AT, "kind": "advance-run", "reason": "AWS Lambda gave up", "run_id": run_id,
        "deployment": None, "replayed_at": None, "replayed_by": None, "replayed_as": None,
    }  # fmt: skip
    assert shown == {**listed, "message": to_json(AdvanceRun(run_id))}


def test_letters_are_listed_by_run(deployed: Any) -> None:
    mine, other = ended(deployed, Status.FAILED), ended(deployed, Status.FAILED)
    for number, run_id in enumerate([mine, other, mine]):
        bury(deployed, AdvanceRun(run_id), f"letter-{number}")
    listed = deployed.client("viewer").get("/v1/dead-letters", query={"run_id": mine}).json()["items"]
    assert [letter["id"] for letter in listed] == ["letter-2", "letter-0"]
    assert deployed.client("viewer").get("/v1/dead-letters", query={"run_id": "../x"}).status == 422


@pytest.mark.parametrize("kind", ABOUT_A_RUN)
@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_run_that_ended_without_its_message_is_finished_by_a_new_one(
    deployed: Any, runs: Any, kind: str, status: Status
) -> None:
    run_id = ended(deployed, status, parameters={"day": "tuesday"}, fail_fast=False, max_workers=3)
    before = runs.get_run(run_id)
    letter_id = bury(deployed, ABOUT_A_RUN[kind](run_id))

    reply = replay(deployed, letter_id)

    assert reply.status == 201, reply.body
    again = runs.get_run(reply.json()["replayed_as"])
    assert (again.retry_of, again.status, again.deployment) == (run_id, Status.PENDING, "daily")
    assert (again.parameters, again.fail_fast, again.max_workers) == (before.parameters, False, 3)
    assert runs.get_run(run_id) == before


def test_a_run_without_a_deployment_is_finished_as_its_flow_version(deployed: Any, runs: Any) -> None:
    body = {"deployment": None, "flow_name": "etl", "flow_version": "1.0", "tags": {"a": "b"}}
    run_id = ended(deployed, Status.FAILED, **body, parameters={"day": "monday"})
    again = runs.get_run(replay(deployed, bury(deployed, AdvanceRun(run_id))).json()["replayed_as"])
    assert (again.retry_of, again.deployment, again.flow_version) == (run_id, None, "1.0")
    assert again.tags == {"a": "b"}


def test_who_replayed_a_letter_when_and_into_which_run_is_kept(deployed: Any, runs: Any) -> None:
    letter_id = bury(deployed, StartRun("daily", {"day": "friday"}))
    reply = replay(deployed, letter_id)
    shown = deployed.client("viewer").get(f"/v1/dead-letters/{letter_id}").json()
    assert shown == reply.json()
    assert shown["replayed_by"] == deployed.client("developer").key.split("_")[1]
    assert shown["replayed_at"] is not None and shown["message"] == to_json(StartRun("daily", {"day": "friday"}))
    assert runs.get_run(shown["replayed_as"]).parameters["day"] == "friday"


def test_a_letter_is_replayed_once_whoever_asks_however_often(deployed: Any, runs: Any) -> None:
    letter_id = bury(deployed, AdvanceRun(ended(deployed, Status.FAILED)))
    first = replay(deployed, letter_id)
    number = len(runs.list_runs(limit=100).items)

    for client in (deployed.client("developer"), deployed.client("admin")):
        again = client.post(f"/v1/dead-letters/{letter_id}/replay")
        assert (again.status, again.json()) == (200, first.json())
    assert len(runs.list_runs(limit=100).items) == number


@pytest.mark.parametrize("kind", ["a run", "a start"])
def test_of_many_who_replay_a_letter_at_once_one_starts_a_run(deployed: Any, runs: Any, kind: str) -> None:
    message = AdvanceRun(ended(deployed, Status.FAILED)) if kind == "a run" else StartRun("daily", {"day": "friday"})
    letter_id, before = bury(deployed, message), len(runs.list_runs(limit=100).items)
    clients = [deployed.client("developer") for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        path = f"/v1/dead-letters/{letter_id}/replay"
        replies = list(pool.map(lambda client: client.post(path), clients))

    assert {reply.status for reply in replies} <= {200, 201}
    assert len({reply.json()["replayed_as"] for reply in replies}) == 1
    assert len(runs.list_runs(limit=100).items) == before + 1


class Forgetting:
    """A run store whose mark is lost on the way."""

    def __init__(self, runs: Any) -> None:
        self.runs, self.is_away = runs, True

    def __getattr__(self, name: str) -> Any:
        if name == "mark_replayed" and self.is_away:
            raise Unavailable("The table did not answer")
        return getattr(self.runs, name)


@pytest.mark.parametrize("kind", ["a run", "a start", "a schedule"])
def test_a_replay_that_was_cut_short_before_the_mark_is_finished_by_the_next(
    new_stage: Any, spec: Any, kind: str
) -> None:
    store = Forgetting(MemoryRunStore())
    stage = new_stage(runs=store)
    assert stage.register(spec()).status == 200
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "monday"}, **DAILY}
    assert stage.client("developer").post("/v1/deployments", body).status == 200
    message: Message = {
        "a run": lambda: AdvanceRun(ended(stage, Status.FAILED)),
        "a start": lambda: StartRun("daily"),
        "a schedule": lambda: FireSchedule("daily", "2026-03-04T09:00:00Z"),
    }[kind]()
    letter_id, before = bury(stage, message, delivery_id="request-1"), len(store.runs.list_runs(limit=100).items)

    assert replay(stage, letter_id).status == 503
    store.is_away = False
    reply = replay(stage, letter_id)

    assert reply.status == 201 and reply.json()["replayed_as"]
    assert len(store.runs.list_runs(limit=100).items) == before + 1


def test_a_start_that_had_made_its_run_before_it_died_makes_no_second(deployed: Any, runs: Any) -> None:
    message = StartRun("daily")
    made = start_run(deployed.ports, message, delivery_id="request-7").run
    letter_id = bury(deployed, message, delivery_id="request-7")
    assert replay(deployed, letter_id).json()["replayed_as"] == made.id
    assert len(runs.list_runs(limit=100).items) == 1


def test_a_schedule_that_did_not_fire_fires_for_its_own_time(deployed: Any, runs: Any) -> None:
    assert deployed.client("developer").put("/v1/deployments/daily/settings", DAILY).status == 200
    reply = replay(deployed, bury(deployed, FireSchedule("daily", "2026-03-04T09:00:00Z")))
    run = runs.get_run(reply.json()["replayed_as"])
    assert (run.trigger, run.scheduled_at) == ("schedule", "2026-03-04T09:00:00.000Z")


def test_a_look_for_lost_runs_is_sent_again(deployed: Any) -> None:
    reply = replay(deployed, bury(deployed, Reconcile()))
    assert (reply.status, reply.json()["replayed_as"]) == (201, None)
    assert Reconcile() in [sent.message for sent in deployed.ports.dispatcher.sent]


GONE = "etl-20260101T000000Z-aaaaaa"


@pytest.mark.parametrize(
    "message, status, words",
    [
        pytest.param({"payload": [1]}, 409, "cannot be replayed: Not a message of this version", id="no message"),
        pytest.param({"v": 9, "kind": "advance-run"}, 409, "Not a message of this version", id="a later version's"),
        pytest.param({"v": 1, "kind": "advance-run", "run_id": 7}, 409, "Malformed 'advance-run'", id="half a message"),
        pytest.param(AdvanceRun(GONE), 404, f"Run not found: {GONE}", id="of a run that is gone"),
        pytest.param(StartRun("nope"), 404, "Deployment not found: nope", id="of a deployment that is gone"),
        pytest.param(FireSchedule("nope", AT), 409, "'nope' is gone", id="a schedule of one that is gone"),
        pytest.param(FireSchedule("daily", AT), 409, "has no schedule any more", id="a schedule that was taken away"),
    ],
)
def test_what_cannot_be_replayed_is_refused_and_stays_as_it_was(
    deployed: Any, runs: Any, message: Any, status: int, words: str
) -> None:
    letter_id = bury(deployed, message)
    reply = replay(deployed, letter_id)
    assert (reply.status, words in reply.error["message"]) == (status, True), reply.body
    assert runs.get_dead_letter(letter_id).replayed_at is None
    assert runs.list_runs(limit=9).items == ()
    assert deployed.client("viewer").get(f"/v1/dead-letters/{letter_id}").status == 200


def test_a_paused_schedule_is_not_fired(deployed: Any) -> None:
    settings = {**DAILY, "status": "PAUSED"}
    assert deployed.client("developer").put("/v1/deployments/daily/settings", settings).status == 200
    reply = replay(deployed, bury(deployed, FireSchedule("daily", AT)))
    assert reply.status == 409 and "'daily' is paused" in reply.error["message"]


def test_a_run_that_goes_on_or_succeeded_without_its_message_is_left_alone(deployed: Any) -> None:
    cases = ((run_of(deployed), "goes on without"), (ended(deployed, Status.SUCCEEDED), "succeeded without"))
    for number, (run_id, words) in enumerate(cases):
        reply = replay(deployed, bury(deployed, AdvanceRun(run_id), f"letter-{number}"))
        assert reply.status == 409 and words in reply.error["message"]


def test_a_letter_that_is_not_there_is_404(deployed: Any) -> None:
    for reply in (replay(deployed, "nope"), deployed.client().get("/v1/dead-letters/nope")):
        assert reply.status == 404 and "Dead letter not found: nope" in reply.error["message"]


def test_a_message_that_is_no_text_at_all_is_still_shown(deployed: Any) -> None:
    """A flow can send what it likes to the function that takes failures."""
    message = {"kind": ["x"], "deployment": 7, "odd": "half a pair \ud800", "deep": {"n": float("nan")}}
    letter_id = bury(deployed, message)
    assert deployed.client("viewer").get("/v1/dead-letters").json()["items"][0]["kind"] is None
    assert deployed.client("viewer").get(f"/v1/dead-letters/{letter_id}").status == 200
