"""Deployments and their EventBridge schedules."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dagy.core.errors import InvalidSchedule, Unavailable
from dagy.core.spec import FlowSpec
from dagy_runtime.adapters.memory import MemoryRegistry, MemorySchedules
from dagy_runtime.values import Deployment, ScheduleSpec

Spec = Callable[..., FlowSpec]
BASE = {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}
EVERY_MORNING = {"schedule": "0 6 * * *", "timezone": "Europe/Athens", "parameters": {"day": "monday"}}


def put(stage: Any, **more: Any) -> Any:
    return stage.client("developer").post("/v1/deployments", {**BASE, **more})


def change(stage: Any, **settings: Any) -> Any:
    return stage.client("developer").put("/v1/deployments/daily/settings", settings)


@pytest.fixture
def registered(stage: Any, spec: Spec) -> Any:
    assert stage.register(spec()).status == 200
    return stage


def test_a_new_deployment_has_the_defaults(registered: Any) -> None:
    reply = put(registered)
    assert reply.status == 200
    assert reply.json() == {
        **BASE,
        "deployment_version": 1,
        "status": "ACTIVE",
        "execution_mode": "nano",
        "isolation": "in-process",
        "schedule": None,
        "timezone": None,
        "next_fire_times": [],
        "default_executor": None,
        "parameters": {},
        "tags": {},
        "packages": [],
        "max_concurrent_runs": None,
        "artifact_sha256": registered.client("viewer").get("/v1/flows/etl/1.0").json()["artifact_sha256"],
        "updated_by": registered.texts["developer"].split("_")[1],
        "created_at": "2026-03-04T12:00:00.000Z",
        "updated_at": "2026-03-04T12:00:00.000Z",
    }
    assert registered.client("viewer").get("/v1/deployments/daily").json() == reply.json()


def test_a_schedule_becomes_one_eventbridge_schedule_and_shows_its_next_times(registered: Any) -> None:
    reply = put(registered, **EVERY_MORNING).json()
    assert reply["next_fire_times"] == [
        "2026-03-05T04:00:00.000Z",
        "2026-03-06T04:00:00.000Z",
        "2026-03-07T04:00:00.000Z",
    ]
    assert registered.ports.schedules.by_deployment == {"daily": (ScheduleSpec("0 6 * * *", "Europe/Athens"), True)}


def test_without_a_zone_a_schedule_is_read_in_new_york(registered: Any) -> None:
    assert put(registered, schedule="0 6 * * *", parameters={"day": "x"}).json()["timezone"] == "America/New_York"


def test_deploying_again_updates_the_schedule_and_without_one_deletes_it(registered: Any) -> None:
    put(registered, **EVERY_MORNING)
    again = put(registered, schedule="0 7 * * *").json()
    assert (again["schedule"], again["timezone"], again["deployment_version"]) == ("0 7 * * *", "Europe/Athens", 2)
    assert registered.ports.schedules.get("daily")[0].expression == "0 7 * * *"
    assert put(registered).json()["schedule"] is None
    assert registered.ports.schedules.get("daily") is None


def test_deploying_again_keeps_what_is_not_given(registered: Any) -> None:
    put(registered, execution_mode="small", tags={"a": "b"}, parameters={"day": "x"}, status="PAUSED")
    again = put(registered).json()
    assert (again["execution_mode"], again["tags"], again["status"]) == ("small", {"a": "b"}, "PAUSED")


def test_pausing_disables_the_schedule_and_hides_the_next_times(registered: Any) -> None:
    put(registered, **EVERY_MORNING)
    paused = change(registered, status="PAUSED").json()
    assert paused["next_fire_times"] == [] and paused["schedule"] == "0 6 * * *"
    assert registered.ports.schedules.get("daily") == (ScheduleSpec("0 6 * * *", "Europe/Athens"), False)
    assert len(change(registered, status="ACTIVE").json()["next_fire_times"]) == 3
    assert registered.ports.schedules.get("daily")[1] is True


def test_settings_change_one_by_one_and_null_clears(registered: Any) -> None:
    put(registered, **EVERY_MORNING, tags={"a": "b"})
    assert change(registered, timezone="UTC").json()["schedule"] == "0 6 * * *"
    assert change(registered, schedule="@hourly").json()["timezone"] == "UTC"
    assert change(registered, execution_mode="large").json()["execution_mode"] == "large"
    cleared = change(registered, schedule=None, tags=None, parameters=None).json()
    assert (cleared["schedule"], cleared["tags"], cleared["parameters"]) == (None, {}, {})
    assert registered.ports.schedules.get("daily") is None


def test_a_change_made_on_an_old_version_is_refused(registered: Any) -> None:
    put(registered)
    assert change(registered, execution_mode="small", deployment_version=1).status == 200
    stale = change(registered, execution_mode="large", deployment_version=1)
    assert stale.status == 409 and "version 2" in stale.error["message"]
    assert registered.client().get("/v1/deployments/daily").json()["execution_mode"] == "small"


@pytest.mark.parametrize(
    "settings, words",
    [
        pytest.param({"schedule": "0 25 * * *"}, "hour '25'", id="bad cron"),
        pytest.param({"schedule": "0 0 1 * MON"}, "restricts both", id="both kinds of day"),
        pytest.param({"schedule": "0 6 * * *", "timezone": "Athens"}, "Unknown time zone", id="unknown zone"),
        pytest.param({"timezone": "Mars/Base"}, "Unknown time zone", id="unknown zone without a schedule"),
        pytest.param({"schedule": "at(2020-01-01T00:00:00)"}, "in the past", id="a time that is over"),
        pytest.param({"execution_mode": "huge"}, "Unknown execution mode 'huge'", id="unknown size"),
        pytest.param({"execution_mode": ["small", "large"]}, "contradicts", id="two sizes"),
        pytest.param({"isolation": "small"}, "Unknown isolation", id="a size as isolation"),
        pytest.param(
            {"default_executor": "ecs"}, "Stage 'test' has no executor 'ecs'", id="executor that the stage has not"
        ),
        pytest.param({"default_executor": "step-functions"}, "one process", id="an executor that needs isolation"),
        pytest.param({"default_executor": "k8s"}, "Unknown executor", id="unknown executor"),
        pytest.param({"packages": ["pandas"]}, "Invalid dependency package 'pandas'", id="a package that is no slug"),
        pytest.param({"status": "paused"}, "Unknown status", id="unknown status"),
        pytest.param({"parameters": {"nope": 1}}, "Unknown parameter 'nope'", id="unknown parameter"),
        pytest.param({"parameters": {"day": "x", "limit": "ten"}}, "expects int", id="parameter of the wrong type"),
        pytest.param(
            {"schedule": "@daily", "parameters": {}}, "Missing parameter 'day'", id="a schedule without a day"
        ),
        pytest.param({"tags": {str(n): "" for n in range(51)}}, "51 tags", id="too many tags"),
        pytest.param({"colour": "red"}, "unknown field `colour`", id="unknown field"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_is_written(
    registered: Any, settings: dict[str, Any], words: str
) -> None:
    asked = {"parameters": {"day": "x"}, **settings}
    refused = put(registered, **asked)
    assert refused.status == 422 and words in refused.error["message"]
    assert registered.client().get("/v1/deployments").json()["items"] == []
    assert registered.ports.schedules.by_deployment == {}

    put(registered, **EVERY_MORNING)
    before = registered.client().get("/v1/deployments/daily").json()
    refused = change(registered, **asked)
    assert refused.status == 422 and words in refused.error["message"]
    assert registered.client().get("/v1/deployments/daily").json() == before
    assert registered.ports.schedules.get("daily")[0].expression == "0 6 * * *"


def test_a_zone_without_a_schedule_is_refused(registered: Any) -> None:
    put(registered)
    reply = change(registered, timezone="UTC")
    assert reply.status == 422 and "no schedule" in reply.error["message"]


def test_a_single_fire_that_is_over_does_not_stand_in_the_way_of_other_changes(registered: Any) -> None:
    put(registered, schedule="at(2026-03-05T00:00:00)", timezone="UTC", parameters={"day": "x"})
    registered.clock.advance(2 * 86_400)
    changed = change(registered, execution_mode="small")
    assert changed.status == 200 and changed.json()["next_fire_times"] == []


def test_what_is_not_there_is_404_with_names_alike(registered: Any) -> None:
    put(registered)
    client = registered.client("developer")
    for reply in (
        client.get("/v1/deployments/dayly"),
        client.delete("/v1/deployments/dayly"),
        client.put("/v1/deployments/dayly/settings", {}),
    ):
        assert reply.status == 404 and reply.error["hint"] == "Did you mean daily?"
    no_flow = put(registered, flow_name="etk")
    assert no_flow.status == 404 and "Did you mean etl?" in no_flow.error["hint"]
    assert put(registered, flow_version="7").status == 404
    assert client.get("/v1/deployments/a%20b").status == 422


def test_deployments_are_listed_by_name_and_flow(registered: Any, spec: Spec) -> None:
    registered.register(spec(name="other"))
    for n in range(5):
        put(registered, name=f"d{n}", flow_name="other" if n == 3 else "etl")
    client = registered.client("viewer")
    first = client.get("/v1/deployments", query={"limit": 4}).json()
    rest = client.get("/v1/deployments", query={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert [d["name"] for d in first["items"] + rest["items"]] == ["d0", "d1", "d2", "d3", "d4"]
    [one] = client.get("/v1/deployments", query={"flow_name": "other"}).json()["items"]
    assert one["name"] == "d3"


def test_deleting_removes_the_schedule_first_and_then_the_deployment(registered: Any) -> None:
    put(registered, **EVERY_MORNING)
    client = registered.client("developer")
    deleted = client.delete("/v1/deployments/daily")
    assert deleted.status == 204 and deleted.body == b""
    assert registered.ports.schedules.by_deployment == {}
    assert client.delete("/v1/deployments/daily").status == 404


# --- when things go wrong, and when two deploy at once ------------------------------------------------------


class Moody(MemorySchedules):
    """Does what it is told, until told what to raise."""

    error: Exception | None = None

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        if self.error is not None:
            raise self.error
        super().put(deployment, schedule, is_enabled=is_enabled)


def test_when_eventbridge_refuses_a_schedule_everything_stays_as_it_was(new_stage: Any, spec: Spec) -> None:
    schedules = Moody()
    stage = new_stage(schedules=schedules)
    stage.register(spec())
    schedules.error = InvalidSchedule("EventBridge says no")
    assert put(stage, **EVERY_MORNING).status == 422
    assert stage.client().get("/v1/deployments/daily").status == 404

    schedules.error = None
    put(stage, **EVERY_MORNING)
    schedules.error = InvalidSchedule("EventBridge says no")
    assert change(stage, schedule="0 9 * * *").status == 422
    assert stage.client().get("/v1/deployments/daily").json()["schedule"] == "0 6 * * *"
    assert schedules.get("daily")[0].expression == "0 6 * * *"


def test_when_eventbridge_does_not_answer_the_caller_is_told_and_a_repeat_puts_it_right(
    new_stage: Any, spec: Spec
) -> None:
    schedules = Moody()
    stage = new_stage(schedules=schedules)
    stage.register(spec())
    schedules.error = Unavailable("no answer")
    reply = put(stage, **EVERY_MORNING)
    assert reply.status == 503 and "--force" in reply.error["hint"]
    schedules.error = None
    assert put(stage, **EVERY_MORNING).status == 200
    assert schedules.get("daily")[0].expression == "0 6 * * *"


class Meddling(MemorySchedules):
    """Lets somebody else act just before a schedule is set, once."""

    meddle: Callable[[], Any] | None = None

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        meddle, self.meddle = self.meddle, None
        if meddle:
            meddle()
        super().put(deployment, schedule, is_enabled=is_enabled)


@pytest.mark.parametrize(
    "other, expected",
    [
        pytest.param(lambda stage: put(stage, schedule="0 9 * * *"), "0 9 * * *", id="another deploy"),
        pytest.param(lambda stage: put(stage), None, id="a deploy without a schedule"),
        pytest.param(lambda stage: stage.client().delete("/v1/deployments/daily"), None, id="a delete"),
    ],
)
def test_a_slow_deploy_never_leaves_its_schedule_over_a_newer_ones(
    new_stage: Any, spec: Spec, other: Callable[[Any], Any], expected: str | None
) -> None:
    schedules = Meddling()
    stage = new_stage(schedules=schedules)
    stage.register(spec())
    schedules.meddle = lambda: other(stage)
    put(stage, **EVERY_MORNING)
    found = schedules.get("daily")
    assert (found[0].expression if found else None) == expected
    shown = stage.client().get("/v1/deployments/daily")
    assert (shown.json()["schedule"] if shown.status == 200 else None) == expected


class Racing(MemoryRegistry):
    """Makes every reader of a deployment wait for another, so that they all decide on the same version."""

    barrier: threading.Barrier | None = None

    def get_deployment(self, name: str) -> Deployment | None:
        found = super().get_deployment(name)
        if self.barrier is not None:
            with contextlib.suppress(threading.BrokenBarrierError):
                self.barrier.wait(timeout=0.05)
        return found


@pytest.mark.parametrize("seed", range(3))
def test_deploys_at_once_end_in_one_consistent_state(new_stage: Any, spec: Spec, seed: int) -> None:
    registry = Racing()
    stage = new_stage(registry=registry)
    stage.register(spec())
    clients = [stage.client("developer")] * 4
    registry.barrier = threading.Barrier(2)
    replies: list[Any] = []

    def deploy(hour: int) -> None:
        body = {**BASE, "schedule": f"{seed} {hour} * * *", "timezone": "UTC", "parameters": {"day": "x"}}
        replies.append(clients[hour].post("/v1/deployments", body))

    threads = [threading.Thread(target=deploy, args=(hour,)) for hour in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    registry.barrier = None
    assert [reply.status for reply in replies] == [200] * 4
    shown = stage.client().get("/v1/deployments/daily").json()
    assert shown["deployment_version"] == 4
    assert stage.ports.schedules.by_deployment == {"daily": (ScheduleSpec(shown["schedule"], "UTC"), True)}
