"""The dashboard of a stage: from what users see at the top to what it stands on at the bottom, in fifty metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from dagy_infra.constructs.metrics import PERIOD, StageMetrics

_WIDE, _HEIGHT = 12, 6  # a dashboard is 24 units wide
_RED: Final = "#d62728"


class StageDashboard(Construct):
    """Every line has a name, every axis its unit and zero. `metrics` that fail are red, and so are timeouts."""

    def __init__(self, scope: Construct, construct_id: str, metrics: StageMetrics) -> None:
        super().__init__(scope, construct_id)
        self.dashboard: Final = cloudwatch.Dashboard(
            self, "Dashboard", default_interval=Duration.hours(24), period_override=cloudwatch.PeriodOverride.AUTO
        )
        self.dashboard.add_widgets(_heading(f"Dagy, stage {metrics.stage}"))
        for row in (_runtimes(metrics), _starts(metrics), _api(metrics), _underneath(metrics)):
            self.dashboard.add_widgets(*row)


def _runtimes(metrics: StageMetrics) -> list[cloudwatch.GraphWidget]:
    sizes = metrics.runtimes.functions.items()
    longest = max(runtime.timeout_s for runtime in metrics.runtimes.functions.values())
    return [
        _graph(
            "Invocations of runtimes, by size",
            "per 5 minutes",
            [_named(runtime.function.metric_invocations(), size.value) for size, runtime in sizes],
        ),
        _graph(
            "Duration of runtimes, by size (slowest; a run goes on in a new invocation)",
            "milliseconds",
            [_named(runtime.function.metric_duration(statistic="Maximum"), size.value) for size, runtime in sizes],
            limit=(longest * 1000, "timeout"),
        ),
        _graph(
            "Errors of runtimes, by size (tried again, then lost)",
            "per 5 minutes",
            [_named(runtime.function.metric_errors(), size.value) for size, runtime in sizes],
        ),
        _graph(
            "Throttled runtimes, by size (they wait for the account's concurrency)",
            "per 5 minutes",
            [_named(runtime.function.metric_throttles(), size.value) for size, runtime in sizes],
        ),
    ]


def _starts(metrics: StageMetrics) -> list[cloudwatch.GraphWidget]:
    return [
        _graph(
            "Schedules",
            "per 5 minutes",
            [
                _named(metrics.of_schedules("InvocationAttemptCount"), "fires"),
                _named(metrics.of_schedules("TargetErrorCount"), "failed, tried again"),
                _named(metrics.of_schedules("InvocationDroppedCount"), "given up", color=_RED),
            ],
        ),
        _graph(
            "Lost messages and dead letters",
            "messages",
            [
                _named(metrics.lost, "lost, their runs ended"),
                _named(metrics.dead_letters, "dead letters waiting", color=_RED),
            ],
        ),
    ]


def _api(metrics: StageMetrics) -> list[cloudwatch.GraphWidget]:
    return [
        _graph(
            "API requests",
            "per 5 minutes",
            [
                _named(metrics.of_api("Count"), "all"),
                _named(metrics.of_api("4xx"), "refused (4xx)"),
                _named(metrics.of_api("5xx"), "failed (5xx)", color=_RED),
            ],
        ),
        _graph(
            "API latency",
            "milliseconds",
            [_named(metrics.of_api("Latency", statistic=statistic), statistic) for statistic in ("p50", "p95", "p99")],
        ),
    ]


def _underneath(metrics: StageMetrics) -> list[cloudwatch.GraphWidget]:
    control = metrics.control.function
    return [
        _graph(
            "Control function",
            "milliseconds",
            [_named(control.function.metric_duration(statistic="Maximum"), "slowest")],
            limit=(control.timeout_s * 1000, "timeout"),
            right=[
                _named(control.function.metric_errors(), "errors", color=_RED),
                _named(control.function.metric_throttles(), "throttled"),
            ],
        ),
        _graph(
            "Timers",
            "per 5 minutes",
            [
                _named(metrics.of_timer(timer, name), f"{label}: {what}")
                for label, timer in metrics.timers.items()
                for name, what in (("ExecutionsStarted", "set"), ("ExecutionsFailed", "failed"))
            ],
        ),
        _graph(
            "Table: units consumed",
            "units per 5 minutes",
            [
                _named(metrics.of_table("ConsumedReadCapacityUnits"), "read"),
                _named(metrics.of_table("ConsumedWriteCapacityUnits"), "written"),
            ],
        ),
        _graph(
            "Table: throttled",
            "requests per 5 minutes",
            [
                _named(metrics.of_table("ReadThrottleEvents"), "reads"),
                _named(metrics.of_table("WriteThrottleEvents"), "writes", color=_RED),
            ],
        ),
    ]


def _heading(title: str) -> cloudwatch.TextWidget:
    text = f"# {title}\nRuns and their logs: `dagy runs list --remote`, `dagy logs`. What to do: `docs/operating.md`."
    return cloudwatch.TextWidget(markdown=text, width=24, height=2)


def _named(metric: cloudwatch.Metric, label: str, *, color: str | None = None) -> cloudwatch.Metric:
    return metric.with_(label=label, color=color, period=Duration.seconds(PERIOD))


def _graph(
    title: str,
    unit: str,
    lines: Sequence[cloudwatch.IMetric],
    *,
    limit: tuple[float, str] | None = None,
    right: Sequence[cloudwatch.IMetric] = (),
) -> cloudwatch.GraphWidget:
    marks = [cloudwatch.HorizontalAnnotation(value=limit[0], label=limit[1], color=_RED)] if limit else []
    return cloudwatch.GraphWidget(
        title=title,
        width=_WIDE,
        height=_HEIGHT,
        left=lines,
        left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        left_annotations=marks,
        right=right or None,
        right_y_axis=cloudwatch.YAxisProps(min=0, label="per 5 minutes", show_units=False) if right else None,
    )
