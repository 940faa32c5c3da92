"""What CloudWatch measures of a stage, each metric named once: for alarms, the dashboard, and dashboards of yours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from dagy_infra.constructs.api import Api
from dagy_infra.constructs.control import Control
from dagy_infra.constructs.failures import Failures
from dagy_infra.constructs.run_table import RunTable
from dagy_infra.constructs.runtimes import Runtimes
from dagy_infra.constructs.scheduling import Scheduling
from dagy_infra.constructs.timer import Timer

PERIOD: Final = 300  # seconds


@dataclass(frozen=True, slots=True)
class StageMetrics:
    """All of them are AWS's own, and free. Sums over five minutes unless told otherwise."""

    stage: str
    runtimes: Runtimes
    control: Control
    failures: Failures
    api: Api
    scheduling: Scheduling
    table: RunTable
    timers: Mapping[str, Timer]
    """By what they are called on the dashboard."""

    @property
    def dead_letters(self) -> cloudwatch.Metric:
        return self.failures.dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum")

    @property
    def lost(self) -> cloudwatch.Metric:
        """Messages that Lambda gave up on: each is one invocation of the function that takes failures."""
        return self.failures.function.function.metric_invocations()

    def of_api(self, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        return _metric("AWS/ApiGateway", name, {"ApiId": self.api.http_api.ref}, statistic)

    def of_schedules(self, name: str) -> cloudwatch.Metric:
        return _metric("AWS/Scheduler", name, {"ScheduleGroup": self.scheduling.group_name})

    def of_table(self, name: str) -> cloudwatch.Metric:
        return _metric("AWS/DynamoDB", name, {"TableName": self.table.table.table_name})

    def of_timer(self, timer: Timer, name: str) -> cloudwatch.Metric:
        return _metric("AWS/States", name, {"StateMachineArn": timer.arn})


def _metric(namespace: str, name: str, dimensions: Mapping[str, str], statistic: str = "Sum") -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=Duration.seconds(PERIOD),
    )
