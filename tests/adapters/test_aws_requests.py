"""What is sent to AWS to start something now, later, or again and again."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest

from dagy.core.errors import InvalidSchedule, NotFound, Unavailable
from dagy.core.sizes import Size
from dagy_runtime.adapters.aws.delivery import (
    LambdaDispatcher,
    StepFunctionsExecutions,
    StepFunctionsTimers,
    execution_name,
)
from dagy_runtime.adapters.aws.schedules import EventBridgeSchedules, NoSchedules, schedule_name
from dagy_runtime.adapters.aws.settings import Functions, SchedulerSettings
from dagy_runtime.adapters.memory import FakeClock
from dagy_runtime.messages import AdvanceRun, FireSchedule, Reconcile, RunTask, from_json, to_json
from dagy_runtime.values import ScheduleSpec

FUNCTIONS = Functions({Size.NANO: "dagy-nano"}, "dagy-control")
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:timer"
SETTINGS = SchedulerSettings("dagy-dev", "arn:aws:iam::000000000000:role/s", "arn:aws:lambda:us-east-1:0:function:c")
NAME = {"GroupName": "dagy-dev", "Name": schedule_name("nightly")}


class TestDispatching:
    def test_a_run_is_sent_to_the_function_of_its_size_without_waiting_for_it(self, clients, stub):
        payload = json.dumps(to_json(AdvanceRun("one", 2))).encode()
        request = {"FunctionName": "dagy-nano", "InvocationType": "Event", "Payload": payload}
        stub("lambda").add_response("invoke", {"StatusCode": 202}, request)
        LambdaDispatcher(clients, FUNCTIONS).to_runtime(Size.NANO, AdvanceRun("one", 2))

    def test_control_messages_go_to_the_control_function(self, clients, stub):
        request = {
            "FunctionName": "dagy-control",
            "InvocationType": "Event",
            "Payload": b'{"v": 1, "kind": "reconcile"}',
        }
        stub("lambda").add_response("invoke", {"StatusCode": 202}, request)
        LambdaDispatcher(clients, FUNCTIONS).to_control(Reconcile())

    def test_a_size_nobody_told_of_is_not_found(self, clients):
        with pytest.raises(NotFound, match="xlarge"):
            LambdaDispatcher(clients, FUNCTIONS).to_runtime(Size.XLARGE, AdvanceRun("one"))

    def test_too_many_at_once_is_unavailable(self, clients, stub):
        stub("lambda").add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(Unavailable, match="TooManyRequestsException"):
            LambdaDispatcher(clients, FUNCTIONS).to_control(Reconcile())


class TestTimers:
    def test_a_timer_is_an_execution_that_waits_and_then_calls(self, clients, stub):
        given = {
            "until": "2026-03-04T12:00:30.500Z",
            "function": "dagy-nano",
            "message": to_json(AdvanceRun("one", 1)),
        }
        request = {"stateMachineArn": MACHINE, "name": "advance-one-1", "input": json.dumps(given)}
        stub("stepfunctions").add_response(
            "start_execution", {"executionArn": "arn:aws:states:e", "startDate": 0}, request
        )
        timers = StepFunctionsTimers(clients, FUNCTIONS, state_machine=MACHINE)
        timers.to_runtime_at(Size.NANO, AdvanceRun("one", 1), at=1_772_625_630.5, name="advance-one-1")

    def test_a_name_that_is_taken_is_fine(self, clients, stub):
        stub("stepfunctions").add_client_error("start_execution", "ExecutionAlreadyExists")
        StepFunctionsTimers(clients, FUNCTIONS, state_machine=MACHINE).to_control_at(Reconcile(), at=1.0, name="n")

    def test_names_that_step_functions_takes_stay_and_others_stay_apart(self):
        assert execution_name("advance-one_1") == "advance-one_1"
        odd = ["a.b", "a b", "a/b", "é", "n" * 81, "n" * 82, ""]
        made = [execution_name(name) for name in odd]
        assert len(set(made)) == len(odd)
        assert all(re.fullmatch("[A-Za-z0-9_-]{1,80}", name) for name in made)


class TestExecutions:
    def test_a_task_is_an_execution_that_is_told_the_function_the_size_and_the_message(self, clients, stub):
        message = RunTask("one", "load-1", 0)
        given = {"function": "dagy-nano", "size": "nano", "message": to_json(message)}
        request = {"stateMachineArn": MACHINE, "name": "one-load-1-x", "input": json.dumps(given)}
        answer = {"executionArn": "arn:aws:states:e", "startDate": 0}
        stub("stepfunctions").add_response("start_execution", answer, request)
        StepFunctionsExecutions(clients, FUNCTIONS, state_machine=MACHINE).start(
            Size.NANO, message, name="one-load-1-x"
        )

    def test_too_many_at_once_is_unavailable(self, clients, stub):
        stub("stepfunctions").add_client_error("start_execution", "ThrottlingException", http_status_code=400)
        with pytest.raises(Unavailable, match="ThrottlingException"):
            StepFunctionsExecutions(clients, FUNCTIONS, state_machine=MACHINE).start(
                Size.NANO, RunTask("one", "load-1", 0), name="n"
            )

    def test_a_function_that_releases_no_tasks_knows_no_machine(self, clients):
        with pytest.raises(NotFound, match="state machine"):
            StepFunctionsExecutions(clients, FUNCTIONS, state_machine="").start(
                Size.NANO, RunTask("one", "load-1", 0), name="n"
            )


class TestSchedules:
    def request(self, **changes):
        return {
            **NAME,
            "Description": "30 9 * * 1-5",
            "ScheduleExpression": "cron(30 9 ? * MON-FRI *)",
            "ScheduleExpressionTimezone": "Europe/Athens",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Target": {
                "Arn": SETTINGS.target_arn,
                "RoleArn": SETTINGS.role_arn,
                "Input": '{"v": 1, "kind": "fire-schedule", "deployment": "nightly", '
                '"scheduled_at": "<aws.scheduler.scheduled-time>"}',
                "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
            },
            **changes,
        }

    def put(self, clients, expression="30 9 * * 1-5", is_enabled=True):
        schedule = ScheduleSpec(expression, "Europe/Athens")
        EventBridgeSchedules(clients, SETTINGS, FakeClock()).put("nightly", schedule, is_enabled=is_enabled)

    def test_one_that_is_there_is_updated(self, clients, stub):
        request = self.request(State="DISABLED")
        stub("scheduler").add_response("update_schedule", {"ScheduleArn": "arn:aws:s"}, request)
        self.put(clients, is_enabled=False)

    def test_one_that_is_not_there_is_created(self, clients, stub):
        scheduler = stub("scheduler")
        scheduler.add_client_error("update_schedule", "ResourceNotFoundException")
        scheduler.add_response("create_schedule", {"ScheduleArn": "arn:aws:s"}, self.request())
        self.put(clients)

    def test_one_that_somebody_else_creates_meanwhile_is_updated(self, clients, stub):
        scheduler = stub("scheduler")
        scheduler.add_client_error("update_schedule", "ResourceNotFoundException")
        scheduler.add_client_error("create_schedule", "ConflictException")
        scheduler.add_response("update_schedule", {"ScheduleArn": "arn:aws:s"}, self.request())
        self.put(clients)

    def test_a_rate_starts_at_its_next_nominal_time(self, clients, stub):
        start = datetime(2026, 3, 4, 12, 5, tzinfo=timezone.utc)
        rate = "rate(5 minutes)"
        request = self.request(Description=rate, ScheduleExpression=rate, StartDate=start)
        stub("scheduler").add_response("update_schedule", {"ScheduleArn": "arn:aws:s"}, request)
        self.put(clients, rate)

    def test_an_expression_that_cannot_be_honoured_is_refused_before_anything_is_sent(self, clients, stub):
        stub("scheduler")
        with pytest.raises(InvalidSchedule):
            self.put(clients, "61 * * * *")

    def test_what_it_sends_is_a_message_of_ours(self):
        message = from_json(json.loads(self.request()["Target"]["Input"]))
        assert message == FireSchedule("nightly", "<aws.scheduler.scheduled-time>")

    def test_names_are_short_and_differ_where_deployments_do(self):
        names = ["a", "A", "n" * 100, "n" * 99, "n" * 64, schedule_name("a"), "a.b", "a-b"]
        made = [schedule_name(name) for name in names]
        assert len(set(made)) == len(names)
        assert all(re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", name) for name in made)

    def test_a_function_without_a_scheduler_says_so(self):
        for act in (NoSchedules().get, NoSchedules().delete):
            with pytest.raises(NotFound, match="DAGY_SCHEDULE_GROUP"):
                act("nightly")
