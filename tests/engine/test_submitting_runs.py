"""How runs come into being, and how the ones that were lost are found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import NotFound, Unavailable
from dagy.core.sizes import ExecutionMode, Isolation, Size
from dagy.core.states import Status
from dagy_runtime.engine.reconcile import chosen, reconcile
from dagy_runtime.engine.submit import Fired, NotFired, fire_schedule, start_run, submit_run
from dagy_runtime.messages import AdvanceRun, FireSchedule, Reconcile, StartRun, from_json, to_json
from dagy_runtime.ports import Created, Existed
from dagy_runtime.values import DeploymentStatus, Trigger

FLOW = """
    from dagy import flow, task

    @task
    def add(a: int, b: int) -> int:
        return a + b

    @flow
    def adding(a: int = 1, b: int = 2):
        return add(a, b)
"""


@pytest.fixture
def flow(stage):
    return stage.deploy(FLOW)


def submit(ports: Any, flow: Any, **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "deployment": None,
        "parameters": {"a": 1, "b": 2},
        "mode": ExecutionMode(),
        "trigger": Trigger.MANUAL,
        "requested_by": None,
    }
    return submit_run(ports, flow=flow, **{**defaults, **options})


# --- submission ---------------------------------------------------------------------------------------------


def test_a_submitted_run_is_pinned_pending_and_on_its_way(stage, flow):
    creation = submit(stage.ports, flow)

    assert isinstance(creation, Created)
    assert (creation.run.status, creation.run.artifact) == (Status.PENDING, flow.artifact)
    assert [sent.message for sent in stage.ports.dispatcher.sent] == [AdvanceRun(creation.run.id)]
    assert [timer.message for timer in stage.ports.timers.set_timers] == [Reconcile()]


@pytest.mark.parametrize(
    "asked, size, isolation",
    [
        (ExecutionMode(), Size.SMALL, Isolation.TASK_ISOLATED),
        (ExecutionMode(size=Size.LARGE), Size.LARGE, Isolation.TASK_ISOLATED),
        (ExecutionMode(isolation=Isolation.IN_PROCESS), Size.SMALL, Isolation.IN_PROCESS),
    ],
)
def test_what_a_submission_leaves_open_its_deployment_says(stage, flow, asked, size, isolation):
    deployment = stage.deployment(flow, size=Size.SMALL, isolation=Isolation.TASK_ISOLATED, tags={"team": "a"})

    run = submit(stage.ports, flow, deployment=deployment, mode=asked, tags={"why": "test"}).run

    assert (run.size, run.isolation, run.deployment) == (size, isolation, deployment.name)
    assert run.tags == {"team": "a", "why": "test"}


def test_sixty_four_callers_with_one_key_get_one_run(stage, flow):
    with ThreadPoolExecutor(16) as pool:
        creations = list(pool.map(lambda _: submit(stage.ports, flow, idempotency_key="once"), range(64)))

    assert len({creation.run.id for creation in creations}) == 1
    assert sum(isinstance(creation, Created) for creation in creations) == 1


def test_a_thousand_submissions_in_a_minute_arm_one_reconciler(stage, flow):
    for _ in range(1000):
        submit(stage.ports, flow)

    assert len(stage.ports.timers.set_timers) == 1


def test_a_submission_whose_dispatch_failed_is_rescued_by_the_next_look(stage, flow):
    class Deaf:
        def to_runtime(self, size: Any, message: Any) -> None:
            raise Unavailable("throttled")

    with pytest.raises(Unavailable):
        submit(replace(stage.ports, dispatcher=Deaf()), flow)
    (run,) = stage.ports.runs.list_runs(limit=10).items
    began_at = stage.clock.now()

    stage.until_quiet()

    assert stage.run(run.id).status is Status.SUCCEEDED
    assert stage.clock.now() - began_at <= 130  # one look that rescues it, one that finds nothing open


# --- schedules ----------------------------------------------------------------------------------------------


def test_a_schedule_delivered_five_times_makes_one_run(stage, flow):
    stage.deployment(flow, parameters={"b": 5})
    message = FireSchedule(flow.name, "2026-03-04T12:00:00Z")

    fired = [fire_schedule(stage.ports, message) for _ in range(5)]
    stage.until_quiet()

    assert isinstance(fired[0].creation, Created)
    assert all(isinstance(again.creation, Existed) for again in fired[1:])
    (run,) = stage.ports.runs.list_runs(limit=10).items
    assert (run.status, run.trigger, run.parameters) == (Status.SUCCEEDED, Trigger.SCHEDULE, {"a": 1, "b": 5})
    assert run.scheduled_at == "2026-03-04T12:00:00.000Z"


def test_every_nominal_time_and_every_deployment_makes_a_run_of_its_own(stage, flow):
    stage.deployment(flow, name="one")
    stage.deployment(flow, name="two")

    fired = [
        fire_schedule(stage.ports, FireSchedule(name, at))
        for name in ("one", "two")
        for at in ("2026-03-04T12:00:00Z", "2026-03-04T12:05:00Z")
    ]

    assert len({each.creation.run.id for each in fired}) == 4


def test_an_emulator_that_leaves_the_placeholder_gets_the_schedules_own_time(stage, flow):
    stage.deployment(flow)
    stage.clock.advance(7 * 60)

    fired = fire_schedule(stage.ports, FireSchedule(flow.name, "<aws.scheduler.scheduled-time>"))

    assert isinstance(fired, Fired)
    assert fired.creation.run.scheduled_at == "2026-03-04T12:05:00.000Z"


@pytest.mark.parametrize(
    "changes, reason",
    [
        pytest.param({"status": DeploymentStatus.PAUSED}, "deployment_paused", id="paused"),
        pytest.param({"schedule": None}, "deployment_without_schedule", id="no schedule any more"),
        pytest.param({"name": "another"}, "deployment_gone", id="deleted"),
    ],
)
def test_a_schedule_that_fires_too_late_is_ignored(stage, flow, changes, reason):
    stage.deployment(flow, **changes)

    assert fire_schedule(stage.ports, FireSchedule(flow.name, "2026-03-04T12:00:00Z")) == NotFired(reason)
    assert stage.ports.runs.list_runs(limit=10).items == ()


def test_parameters_that_do_not_fit_make_a_failed_run_and_not_a_lost_one(stage, flow):
    stage.deployment(flow, parameters={"a": "seven"})
    message = FireSchedule(flow.name, "2026-03-04T12:00:00Z")

    for _ in range(2):
        fire_schedule(stage.ports, message)
    stage.until_quiet()

    (run,) = stage.ports.runs.list_runs(limit=10).items
    assert (run.status, run.problem.error_type) == (Status.FAILED, "ParameterTypeError")
    assert "deployment's parameters" in run.problem.message


# --- messages that ask for a run ----------------------------------------------------------------------------


def test_a_message_starts_a_run_with_the_deployments_parameters_and_over_them_its_own(stage, flow):
    stage.deployment(flow, parameters={"a": 3, "b": 5}, status=DeploymentStatus.PAUSED)
    message = from_json(to_json(StartRun(flow.name, {"b": 6})))

    start_run(stage.ports, message, delivery_id="d-1")
    stage.until_quiet()

    (run,) = stage.ports.runs.list_runs(limit=10).items
    assert (run.status, run.parameters) == (Status.SUCCEEDED, {"a": 3, "b": 6})
    assert (run.trigger, run.requested_by) == (Trigger.MANUAL, "message")


@pytest.mark.parametrize(
    "keys, deliveries, runs",
    [
        pytest.param(["k", "k", "k"], ["1", "2", "3"], 1, id="one key, sent three times, is one run"),
        pytest.param([None, None], ["1", "1"], 1, id="a delivery that Lambda repeats is one run"),
        pytest.param([None, None], ["1", "2"], 2, id="two messages without a key are two runs"),
        pytest.param(["k", "l"], ["1", "1"], 2, id="two keys are two runs"),
    ],
)
def test_how_many_runs_messages_make(stage, flow, keys, deliveries, runs):
    stage.deployment(flow)

    for key, delivery in zip(keys, deliveries, strict=True):
        start_run(stage.ports, StartRun(flow.name, {}, key), delivery_id=delivery)
        stage.clock.advance(1)

    assert len(stage.ports.runs.list_runs(limit=10).items) == runs


def test_a_message_whose_parameters_do_not_fit_makes_a_failed_run(stage, flow):
    stage.deployment(flow)

    for _ in range(2):
        start_run(stage.ports, StartRun(flow.name, {"a": "seven"}), delivery_id="d-1")
    stage.until_quiet()

    (run,) = stage.ports.runs.list_runs(limit=10).items
    assert (run.status, run.problem.error_type) == (Status.FAILED, "ParameterTypeError")
    assert "Send others" in run.problem.message


def test_a_message_for_a_deployment_that_does_not_exist_is_loud(stage):
    with pytest.raises(NotFound, match="nobody"):
        start_run(stage.ports, StartRun("nobody"), delivery_id="d-1")


def test_a_schedule_for_a_flow_version_that_is_gone_is_loud(stage, flow):
    stage.deployment(flow, flow_version="gone")

    with pytest.raises(NotFound):
        fire_schedule(stage.ports, FireSchedule(flow.name, "2026-03-04T12:00:00Z"))


# --- the reconciler -----------------------------------------------------------------------------------------


def test_nothing_ticks_when_no_run_is_open(stage, flow):
    submit(stage.ports, flow)
    stage.until_quiet()
    ticks = len(stage.ports.timers.set_timers)

    assert reconcile(stage.ports).open_runs == 0
    assert ticks <= 2
    assert len(stage.ports.timers.set_timers) == ticks


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda stage, run_id: None, id="its message was lost"),
        pytest.param(
            lambda stage, run_id: stage.ports.runs.claim_run(
                run_id, owner="dead/x", now=stage.clock.now(), lease_s=30, hop=0
            ),
            id="its function died",
        ),
        pytest.param(
            lambda stage, run_id: (
                stage.ports.runs.claim_run(run_id, owner="dead/x", now=stage.clock.now(), lease_s=30, hop=0),
                stage.ports.runs.release_lease(run_id, owner="dead/x"),
            ),
            id="it was released and the next message was lost",
        ),
    ],
)
def test_a_lost_run_is_found_and_finished(stage, flow, lose):
    run_id = submit(stage.ports, flow).run.id
    stage.ports.dispatcher.waiting.clear()
    lose(stage, run_id)

    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED


def test_a_run_in_good_hands_is_left_alone(stage, flow):
    run_id = submit(stage.ports, flow).run.id
    stage.ports.runs.claim_run(run_id, owner="alive/x", now=stage.clock.now(), lease_s=300, hop=0)
    stage.clock.advance(120)

    assert reconcile(stage.ports).rescued == ()


@pytest.mark.parametrize("at_s", [0.0, 0.001, 30.0, 59.0, 59.999])
def test_the_reconciler_looks_every_minute_while_runs_are_open(stage, flow, at_s):
    stage.clock.advance(at_s)
    run_id = submit(stage.ports, flow).run.id
    stage.ports.runs.claim_run(run_id, owner="alive/x", now=stage.clock.now(), lease_s=3600, hop=0)
    looks = [stage.clock.now()]

    for _ in range(5):
        stage.clock.advance(stage.ports.timers.next_at() - stage.clock.now() + 0.2)  # delivery takes a moment
        stage.ports.timers.deliver_due(lambda _: reconcile(stage.ports))
        looks.append(stage.clock.now())

    assert all(60 <= later - earlier <= 65 for earlier, later in pairwise(looks)), looks


def test_whenever_a_run_is_submitted_a_look_is_to_come_within_about_a_minute(stage, flow):
    for _ in range(40):
        submit(stage.ports, flow)
        assert 0 < stage.ports.timers.next_at() - stage.clock.now() <= 65
        stage.clock.advance(7.3)
        stage.ports.timers.deliver_due(lambda _: reconcile(stage.ports))


def test_after_an_outage_runs_come_back_in_portions(stage, flow):
    for _ in range(30):
        submit(stage.ports, flow)
    stage.clock.advance(3 * 3600)

    first = reconcile(stage.ports, cap=10)

    assert (first.open_runs, len(first.rescued), first.left) == (30, 10, 20)
    lost = list(stage.ports.runs.list_runs(limit=100).items)
    portions = {tuple(run.id for run in chosen(lost, cap=10, period=period)) for period in range(5)}
    assert len(portions) == 5, "chance decides, not age"
