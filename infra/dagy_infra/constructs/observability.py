"""Ten alarms on what nobody would notice otherwise, and one dashboard to look at when one of them goes off.

CloudWatch gives every account ten alarms and three dashboards of fifty metrics for nothing, so the first stage with
both costs nothing; each further one $1 a month for its alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, Tags
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from dagy_infra.constructs.dashboard import StageDashboard
from dagy_infra.constructs.metrics import PERIOD, StageMetrics

_NEAR_TIMEOUT: Final = 0.8


@dataclass(frozen=True, slots=True)
class ObservabilityProps:
    metrics: StageMetrics
    has_alarms: bool = True
    topic: sns.ITopic | None = None
    """Told when an alarm goes off, and when it is over. None: alarms change their state and tell nobody."""
    has_dashboard: bool = True
    slow_api_s: float = 5
    """Above it, for a quarter of an hour in the slowest twentieth of requests, the API is too slow for somebody."""


class Observability(Construct):
    """Failed runs are no alarms: they are data, and the API lists them. What is alarming is work that got lost,
    is late, or is about to be.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ObservabilityProps) -> None:
        super().__init__(scope, construct_id)
        self._topic: Final = props.topic
        if props.has_alarms:
            self._alarms(props)
        if props.has_dashboard:
            StageDashboard(self, "Dashboard", props.metrics)
        Tags.of(self).add("dagy:component", "observability")

    def _alarms(self, props: ObservabilityProps) -> None:
        metrics, control = props.metrics, props.metrics.control.function
        self._alarm(
            "DeadLetters", "Messages that nobody could take wait in the queue, for 14 days", metrics.dead_letters
        )
        self._alarm("Lost", "Lambda gave up on messages: see `dagy dead-letters list`", metrics.lost)
        self._alarm("ControlErrors", "The control function fails", control.function.metric_errors())
        self._alarm(
            "ControlThrottles",
            "The account's Lambda concurrency is used up: schedules and runs wait",
            control.function.metric_throttles(),
        )
        self._alarm(
            "ControlDuration",
            "The control function comes close to its timeout",
            control.function.metric_duration(statistic="Maximum"),
            threshold=control.timeout_s * 1000 * _NEAR_TIMEOUT,
        )
        self._alarm("ApiErrors", "The API answers with 5xx", metrics.of_api("5xx"))
        self._alarm(
            "ApiLatency",
            f"The API takes more than {props.slow_api_s:g} s",
            metrics.of_api("Latency", statistic="p95"),
            threshold=props.slow_api_s * 1000,
            periods=3,
        )
        self._alarm(
            "ScheduleErrors",
            "Schedules cannot reach the control function, and try again",
            metrics.of_schedules("TargetErrorCount"),
        )
        self._alarm(
            "SchedulesDropped",
            "Schedules gave up on fires: these runs do not exist",
            metrics.of_schedules("InvocationDroppedCount"),
        )
        self._alarm(
            "TableThrottles", "DynamoDB takes writes slower than they come", metrics.of_table("WriteThrottleEvents")
        )

    def _alarm(
        self, alarm_id: str, description: str, metric: cloudwatch.Metric, *, threshold: float = 0, periods: int = 1
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            alarm_id,
            alarm_description=description,
            metric=metric.with_(period=Duration.seconds(PERIOD)),
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic is not None:
            action = actions.SnsAction(self._topic)
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)
