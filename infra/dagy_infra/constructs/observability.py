"""Six alarms on what nobody would notice otherwise. Within the ten that CloudWatch gives every account for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from dagy_infra.constructs.api import Api
from dagy_infra.constructs.control import Control
from dagy_infra.constructs.failures import Failures

_NEAR_TIMEOUT: Final = 0.8


@dataclass(frozen=True, slots=True)
class ObservabilityProps:
    control: Control
    failures: Failures
    api: Api


class Observability(Construct):
    """Alarms without actions: subscribe what you use to their state changes (EventBridge, SNS, a chat).

    Failed runs are no alarms; they are data, and the API lists them.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ObservabilityProps) -> None:
        super().__init__(scope, construct_id)
        control, api = props.control.function, props.api.function
        self._alarm(
            "DeadLetters",
            "Messages that nobody could take wait in the queue of dead letters, for 14 days",
            props.failures.dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            threshold=0,
        )
        self._alarm("ControlErrors", "The control function fails", control.function.metric_errors(), threshold=0)
        self._alarm(
            "ControlThrottles",
            "The account's Lambda concurrency is used up",
            control.function.metric_throttles(),
            threshold=0,
        )
        self._alarm(
            "ControlDuration",
            "The control function comes close to its timeout",
            control.function.metric_duration(statistic="Maximum"),
            threshold=control.timeout_s * 1000 * _NEAR_TIMEOUT,
        )
        self._alarm(
            "ApiErrors",
            "The API answers with 5xx",
            cloudwatch.Metric(
                namespace="AWS/ApiGateway",
                metric_name="5xx",
                dimensions_map={"ApiId": props.api.http_api.ref},
                statistic="Sum",
            ),
            threshold=0,
        )
        self._alarm(
            "ApiDuration",
            "The API comes close to its timeout",
            api.function.metric_duration(statistic="p95"),
            threshold=api.timeout_s * 1000 * _NEAR_TIMEOUT,
        )

    def _alarm(self, alarm_id: str, description: str, metric: cloudwatch.Metric, *, threshold: float) -> None:
        cloudwatch.Alarm(
            self,
            alarm_id,
            alarm_description=description,
            metric=metric.with_(period=Duration.minutes(5)),
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
