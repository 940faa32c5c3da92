"""One EventBridge schedule per deployment, in the stage's group. It calls the control function with `FireSchedule`.

The expression as its author wrote it is kept as the schedule's description, because EventBridge writes cron in six
fields of its own.

IAM: scheduler:CreateSchedule, UpdateSchedule, GetSchedule, DeleteSchedule on the group's schedules; iam:PassRole on the
schedule role, to scheduler.amazonaws.com.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from dagy.core.errors import NotFound, Unavailable
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.errors import error_code, translated
from dagy_runtime.adapters.aws.settings import SchedulerSettings
from dagy_runtime.messages import FireSchedule, to_json
from dagy_runtime.ports import Clock
from dagy_runtime.values import ScheduleSpec

NOMINAL_TIME: Final = "<aws.scheduler.scheduled-time>"  # EventBridge puts the time it meant here
RETRY_FOR_S: Final = 24 * 3600
RETRIES: Final = 185  # with the line above, the most EventBridge does
_TRIES: Final = 4


class EventBridgeSchedules:
    def __init__(self, clients: Clients, settings: SchedulerSettings, clock: Clock) -> None:
        self._clients = clients
        self._settings = settings
        self._clock = clock

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        request = self._request(deployment, schedule, is_enabled)
        for _ in range(_TRIES):
            if self._update(deployment, request) or self._create(deployment, request):
                return
        raise Unavailable(f"The schedule of '{deployment}' comes and goes: others change it", "Try again.")

    def delete(self, deployment: str) -> None:
        self._try("DeleteSchedule", deployment, self._name(deployment), but="ResourceNotFoundException")

    def get(self, deployment: str) -> tuple[ScheduleSpec, bool] | None:
        found = self._try("GetSchedule", deployment, self._name(deployment), but="ResourceNotFoundException")
        if found is None:
            return None
        expression = found.get("Description") or found["ScheduleExpression"]
        return ScheduleSpec(expression, found.get("ScheduleExpressionTimezone", "UTC")), found["State"] == "ENABLED"

    def _update(self, deployment: str, request: dict[str, Any]) -> bool:
        """False when there is none."""
        return self._try("UpdateSchedule", deployment, request, but="ResourceNotFoundException") is not None

    def _create(self, deployment: str, request: dict[str, Any]) -> bool:
        """False when there is one."""
        return self._try("CreateSchedule", deployment, request, but="ConflictException") is not None

    def _request(self, deployment: str, schedule: ScheduleSpec, is_enabled: bool) -> dict[str, Any]:
        # A lazy door: 28 ms of a cold start that runtime functions, which share this world, need not pay.
        from dagy.schedules import RateSchedule, parse_schedule

        parsed = parse_schedule(schedule.expression, schedule.timezone)
        # EventBridge counts a rate from its start date, else from its creation, which nobody else could know.
        start = {"StartDate": parsed.next_times(self._clock.now(), 1)[0]} if isinstance(parsed, RateSchedule) else {}
        return {
            **start,
            **self._name(deployment),
            "Description": schedule.expression,
            "ScheduleExpression": parsed.eventbridge_expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED" if is_enabled else "DISABLED",
            "Target": {
                "Arn": self._settings.target_arn,
                "RoleArn": self._settings.role_arn,
                "Input": json.dumps(to_json(FireSchedule(deployment, NOMINAL_TIME))),
                "RetryPolicy": {"MaximumEventAgeInSeconds": RETRY_FOR_S, "MaximumRetryAttempts": RETRIES},
            },
        }

    def _name(self, deployment: str) -> dict[str, str]:
        return {"GroupName": self._settings.group, "Name": schedule_name(deployment)}

    def _try(self, operation: str, deployment: str, request: dict[str, Any], *, but: str) -> dict[str, Any] | None:
        """AWS's answer; None for the error `but`."""
        method = {
            "CreateSchedule": "create_schedule",
            "UpdateSchedule": "update_schedule",
            "GetSchedule": "get_schedule",
            "DeleteSchedule": "delete_schedule",
        }[operation]
        resource = f"schedule {self._settings.group}/{schedule_name(deployment)}"
        try:
            with translated(f"scheduler:{operation}", resource, passing=(but,)):
                answer: dict[str, Any] = getattr(self._clients.get("scheduler"), method)(**request)
        except Exception as error:
            if error_code(error) != but:
                raise
            return None
        return answer


class NoSchedules:
    """In functions that do not change schedules."""

    def put(self, deployment: str, schedule: ScheduleSpec, *, is_enabled: bool) -> None:
        raise _no_scheduler()

    def delete(self, deployment: str) -> None:
        raise _no_scheduler()

    def get(self, deployment: str) -> tuple[ScheduleSpec, bool] | None:
        raise _no_scheduler()


def schedule_name(deployment: str) -> str:
    """At most 64 characters, different for different deployments: the name's beginning and a hash of the whole."""
    return f"{deployment[:47]}-{hashlib.sha256(deployment.encode()).hexdigest()[:16]}"


def _no_scheduler() -> NotFound:
    return NotFound("setting", "DAGY_SCHEDULE_GROUP", "Only functions that change schedules have it.")
