"""Alarms that mean something, one dashboard that can be read, and neither where nobody asked to pay for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

FREE_ALARMS, FREE_METRICS_OF_A_DASHBOARD = 10, 50  # of an account; CloudWatch's free tier


def _alarms(synthesised) -> dict[str, dict[str, Any]]:
    return {
        key.removeprefix("Observability")[:-8]: alarm["Properties"]
        for key, alarm in synthesised.resources("AWS::CloudWatch::Alarm")
    }


def test_alarms_and_dashboards_are_within_what_an_account_gets_for_nothing(prod) -> None:
    alarms = _alarms(prod)
    assert len(alarms) == FREE_ALARMS
    assert all("Metrics" not in alarm for alarm in alarms.values())  # an alarm over several is billed for each
    assert len(list(prod.resources("AWS::CloudWatch::Dashboard"))) == 1
    assert 30 < sum(len(widget["metrics"]) for widget in _graphs(prod)) <= FREE_METRICS_OF_A_DASHBOARD


@pytest.mark.parametrize("stage", ["dev", "local"])
def test_stages_for_trying_things_have_neither(stage: str, request: pytest.FixtureRequest) -> None:
    kinds = {resource["Type"] for _, resource in request.getfixturevalue(stage).resources()}
    assert not {kind for kind in kinds if kind.startswith("AWS::CloudWatch::")}


@pytest.mark.parametrize(
    "alarm, metric, above",
    [
        ("DeadLetters", "AWS/SQS ApproximateNumberOfMessagesVisible", 0),
        ("Lost", "AWS/Lambda Invocations", 0),
        ("ControlErrors", "AWS/Lambda Errors", 0),
        ("ControlThrottles", "AWS/Lambda Throttles", 0),
        ("ControlDuration", "AWS/Lambda Duration", 240_000),
        ("ApiErrors", "AWS/ApiGateway 5xx", 0),
        ("ApiLatency", "AWS/ApiGateway Latency", 5_000),
        ("ScheduleErrors", "AWS/Scheduler TargetErrorCount", 0),
        ("SchedulesDropped", "AWS/Scheduler InvocationDroppedCount", 0),
        ("TableThrottles", "AWS/DynamoDB WriteThrottleEvents", 0),
    ],
)
def test_an_alarm_goes_off_for(prod, alarm: str, metric: str, above: int) -> None:
    found = _alarms(prod)[alarm]
    assert f"{found['Namespace']} {found['MetricName']}" == metric
    assert (found["ComparisonOperator"], found["Threshold"]) == ("GreaterThanThreshold", above)
    assert found["TreatMissingData"] == "notBreaching"  # nothing runs: nothing is measured, and nothing is wrong
    assert found["AlarmDescription"]
    assert len(found["Dimensions"]) == 1


def test_alarms_measure_resources_of_their_own_stage(prod) -> None:
    for alarm in _alarms(prod).values():
        [dimension] = alarm["Dimensions"]
        assert isinstance(dimension["Value"], dict), alarm  # a reference, never a name that somebody typed


def test_a_topic_is_told_when_an_alarm_goes_off_and_when_it_is_over(tailored, prod) -> None:
    topic = [tailored.stage.settings.alarm_topic_arn]
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == topic for alarm in _alarms(tailored).values())
    assert not [alarm for alarm in _alarms(prod).values() if "AlarmActions" in alarm]


def test_every_graph_has_a_title_a_unit_and_names_for_its_lines(prod) -> None:
    for graph in _graphs(prod):
        assert graph["title"]
        assert graph["yAxis"]["left"]["label"]
        assert graph["yAxis"]["left"]["min"] == 0
        labels = [line[-1]["label"] for line in graph["metrics"]]
        assert len(set(labels)) == len(labels) > 0, graph["title"]
    titles = [graph["title"] for graph in _graphs(prod)]
    assert len(set(titles)) == len(titles) == 12


def test_runtimes_are_shown_by_size_with_their_timeout(prod) -> None:
    by_size = [graph for graph in _graphs(prod) if "by size" in graph["title"]]
    assert len(by_size) == 4
    for graph in by_size:
        assert [line[-1]["label"] for line in graph["metrics"]] == [size.value for size in prod.stage.sizes]
    [duration] = [graph for graph in by_size if graph["title"].startswith("Duration")]
    [timeout] = duration["annotations"]["horizontal"]
    assert (timeout["value"], timeout["label"]) == (900_000, "timeout")


def test_graphs_stand_side_by_side_and_overlap_nowhere(prod) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in _widgets(prod):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken))  # and no holes


def _widgets(synthesised) -> list[dict[str, Any]]:
    [(_, dashboard)] = synthesised.resources("AWS::CloudWatch::Dashboard")
    parts = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
    body = "".join(part if isinstance(part, str) else "~" for part in parts)
    return list(json.loads(body)["widgets"])


def _graphs(synthesised) -> list[dict[str, Any]]:
    return [widget["properties"] for widget in _widgets(synthesised) if widget["type"] == "metric"]
