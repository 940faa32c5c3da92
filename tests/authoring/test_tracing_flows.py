"""Tracing: a flow's body is run once and becomes a plan."""

from __future__ import annotations

import dataclasses
import datetime as dt
import pickle
import statistics
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy import FlowSpec, TaskOutput, flow, task
from dagy.core.errors import (
    DependencyCycleError,
    InvalidFlow,
    ValueNotKnown,
)
from dagy.core.graph import topological_order


@task
def extract(source: str, date: str = "today") -> list[str]:
    """Read the rows."""
    return [source, date]


@task(retries=2, retry_delay_seconds=[1, 5], timeout_seconds=60, executor="ecs", concurrency_limit=3)
def transform(rows: list[str]) -> list[str]:
    return rows


@task
def load(*rows: Any, into: Any = None) -> int:
    return len(rows)


@flow(name="daily_etl", description="Daily data pipeline")
def daily_etl(date: str, source: str = "s3://data") -> Any:
    data = extract(source, date=date)
    cleaned = transform(data)
    return {"loaded": load(cleaned, into=[data])}


def test_a_traced_flow_is_the_plan_of_its_body() -> None:
    spec = daily_etl.build("2026-03-04")

    assert isinstance(spec, FlowSpec)
    assert (spec.name, spec.version) == ("daily_etl", "latest")
    assert [run.id for run in spec.task_runs] == ["extract-1", "transform-1", "load-1"]
    assert [run.depends_on for run in spec.task_runs] == [[], ["extract-1"], ["transform-1", "extract-1"]]
    assert spec.edges == [["extract-1", "transform-1"], ["transform-1", "load-1"], ["extract-1", "load-1"]]
    assert spec.task_runs[0].args == ["s3://data"]
    assert spec.task_runs[0].kwargs == {"date": "2026-03-04"}
    assert spec.outputs == {"loaded": {"$ref": "load-1"}}
    assert [parameter["name"] for parameter in spec.parameters] == ["date", "source"]


def test_a_plan_tells_the_settings_of_its_tasks() -> None:
    tasks = daily_etl.build().tasks

    assert list(tasks) == ["extract", "transform", "load"]
    assert tasks["extract"].description == "Read the rows."
    assert tasks["extract"].import_path.endswith(":extract")
    assert tasks["transform"].default_executor == "ecs"
    assert tasks["transform"].retry_delay_seconds == [1.0, 5.0]
    assert (tasks["transform"].retries, tasks["transform"].timeout_seconds) == (2, 60.0)
    assert tasks["transform"].concurrency_limit == 3


def test_building_executes_no_task() -> None:
    executed = []

    @task
    def work() -> None:
        executed.append(1)

    @flow
    def working() -> None:
        work()
        work()

    assert [run.id for run in working.build().task_runs] == ["work-1", "work-2"]
    assert executed == []


def test_every_call_gets_the_tasks_name_and_a_number() -> None:
    @flow
    def fan_out() -> Any:
        return load(*[transform(extract(str(n))) for n in range(3)])

    assert [run.id for run in fan_out.build().task_runs] == [
        *("extract-1", "transform-1", "extract-2", "transform-2", "extract-3", "transform-3"),
        "load-1",
    ]


@dataclasses.dataclass
class Batch:
    rows: Any
    label: str = ""


CONTAINERS = {
    "list": lambda ref: [ref],
    "tuple": lambda ref: (1, ref),
    "dict value": lambda ref: {"x": ref},
    "dict key": lambda ref: {ref: 1},
    "set": lambda ref: {ref},
    "dataclass": lambda ref: Batch(ref),
    "nested": lambda ref: [{"a": (Batch([ref]),)}],
}


@pytest.mark.parametrize("wrap", [pytest.param(wrap, id=name) for name, wrap in CONTAINERS.items()])
def test_a_reference_is_found_wherever_it_is_put(wrap: Any) -> None:
    @flow
    def wrapping() -> Any:
        return load(into=wrap(extract("a")))

    spec = wrapping.build()

    assert spec.task_runs[1].depends_on == ["extract-1"]


def test_a_dependency_is_told_once_in_reading_order() -> None:
    @flow
    def repeating() -> Any:
        a, b = extract("a"), extract("b")
        return load(b, a, b, into=[a, b])

    assert repeating.build().task_runs[-1].depends_on == ["extract-2", "extract-1"]


def test_a_trace_keeps_the_live_arguments() -> None:
    traced = daily_etl.trace("2026-03-04")

    assert list(traced.calls) == ["extract-1", "transform-1", "load-1"]
    assert traced.calls["transform-1"].args == (TaskOutput("extract-1"),)
    assert traced.calls["load-1"].task is load
    assert traced.calls["load-1"].depends_on == ("transform-1", "extract-1")
    assert traced.output == {"loaded": TaskOutput("load-1")}
    assert traced.parameters == {"date": "2026-03-04", "source": "s3://data"}
    assert traced.flow is daily_etl


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=15))
def test_whatever_graph_a_body_makes_is_in_the_plan(parents: list[list[int]]) -> None:
    @flow
    def generated() -> None:
        outputs: list[Any] = []
        for wanted in parents:
            outputs.append(load([outputs[n % len(outputs)] for n in wanted] if outputs else []))

    spec = generated.build()

    assert [run.id for run in spec.task_runs] == [f"load-{n + 1}" for n in range(len(parents))]
    assert len(topological_order(spec.task_runs)) == len(parents)
    for index, (run, wanted) in enumerate(zip(spec.task_runs, parents, strict=True)):
        assert set(run.depends_on) == {f"load-{n % index + 1}" for n in wanted if index}
    assert FlowSpec.from_dict(spec.to_dict()) == spec


def test_tasks_called_by_other_threads_are_not_of_this_flow() -> None:
    seen: list[Any] = []

    @flow
    def threaded() -> None:
        thread = threading.Thread(target=lambda: seen.append(extract.fn("thread")))
        other = threading.Thread(target=lambda: seen.append(extract("thread")))
        for each in (thread, other):
            each.start()
            each.join()

    assert threaded.build().task_runs == []
    assert seen == [["thread", "today"]] * 2


def test_after_a_body_failed_tasks_are_functions_again() -> None:
    @flow
    def failing() -> None:
        extract("a")
        raise KeyError("of the author")

    with pytest.raises(KeyError, match="of the author"):
        failing.trace()

    assert extract("b") == ["b", "today"]


# --- flows in flows -----------------------------------------------------------------------------------------


@flow
def cleaning(source: str, date: dt.date) -> Any:
    return transform(extract(source, str(date)))


def test_a_flow_called_in_a_flow_joins_its_plan() -> None:
    @flow
    def outer() -> Any:
        rows = cleaning("a", date="2026-03-04")  # type: ignore[arg-type]
        return load(rows, cleaning("b", dt.date(2026, 3, 5)))

    spec = outer.build()

    assert [run.id for run in spec.task_runs] == ["extract-1", "transform-1", "extract-2", "transform-2", "load-1"]
    assert spec.task_runs[-1].depends_on == ["transform-1", "transform-2"]
    assert spec.task_runs[0].args == ["a", "2026-03-04"]


def test_a_flow_in_a_flow_takes_results_as_parameters() -> None:
    @flow
    def outer(day: str) -> Any:
        return cleaning(extract("where"), day)  # type: ignore[arg-type]

    with pytest.raises(ValueNotKnown, match="'day'"):
        outer.build()  # its body makes text of the date
    assert outer.build("2026-03-04").task_runs[1].depends_on == ["extract-1"]


def test_a_flow_that_calls_itself_without_end_is_refused() -> None:
    @flow
    def endless() -> Any:
        return endless()

    line = endless.fn.__code__.co_firstlineno + 2
    with pytest.raises(InvalidFlow, match=rf"^test_tracing_flows\.py:{line}: .* calls itself without end"):
        endless.build()


# --- what cannot be planned ---------------------------------------------------------------------------------


def test_a_result_of_another_flow_cannot_be_waited_for() -> None:
    stray = daily_etl.trace("2026-03-04").output["loaded"]

    @flow
    def borrowing() -> Any:
        return transform(stray)

    with pytest.raises(DependencyCycleError, match="load-1 → transform-1"):
        borrowing.build()


def test_two_tasks_of_one_name_are_refused_with_both_places() -> None:
    other = task(name="extract")(lambda: None)

    @flow
    def confusing() -> None:
        extract("a")
        other()

    with pytest.raises(InvalidFlow, match=r"named 'extract': test_tracing_flows.py:\d+ and test_tracing_flows.py:\d+"):
        confusing.build()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: extract(), id="too few"),
        pytest.param(lambda: extract("a", "b", "c"), id="too many"),
        pytest.param(lambda: extract("a", when="b"), id="unknown"),
    ],
)
def test_a_call_that_does_not_fit_the_task_is_refused_when_it_is_made(call: Any) -> None:
    with pytest.raises(InvalidFlow, match="Task 'extract' cannot be called like this"):
        flow(name="miscalling")(call).build()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda: (extract(each) for each in "ab"), id="generator"),
        pytest.param(lambda: map(extract, "ab"), id="map"),
        pytest.param(lambda: zip("ab", "cd", strict=True), id="zip"),
    ],
)
def test_arguments_that_do_not_exist_yet_are_refused(rows: Any) -> None:
    with pytest.raises(InvalidFlow, match=r"Task 'transform' was given a .*do not exist yet"):
        flow(name="lazy")(lambda: transform(rows())).build()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: transform(extract(each) for each in "ab"), id="a generator"),
        pytest.param(lambda: extract(), id="a call that does not fit"),
        pytest.param(lambda: not extract("a"), id="a look at a result"),
        pytest.param(lambda: statistics.mean([extract("a"), extract("b")]), id="a look by a library"),
    ],
)
def test_what_is_wrong_in_a_body_is_told_with_its_line(wrong: Callable[[], Any]) -> None:
    line = wrong.__code__.co_firstlineno
    with pytest.raises(InvalidFlow, match=rf"^test_tracing_flows\.py:{line}: \S") as caught:
        flow(name="wrong")(wrong).build()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.hint) == (str(caught.value), caught.value.hint)


@task
def yields() -> Any:
    yield 1


@task
async def yields_later() -> Any:
    yield 1


@pytest.mark.parametrize("generator", [yields, yields_later])
def test_a_task_that_is_a_generator_is_refused_with_its_place_and_still_is_a_function(generator: Any) -> None:
    place = rf"Task '{generator.name}' \(test_tracing_flows\.py:{generator.fn.__code__.co_firstlineno}\) is a generator"
    with pytest.raises(InvalidFlow, match=place):
        flow(name="wrong")(lambda: load(generator())).build()
    assert list(yields()) == [1]


def test_data_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(InvalidFlow, match="contains itself"):
        flow(name="circular")(lambda: load(circle)).build()


async def _async() -> None: ...


def _generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    "fn, told",
    [pytest.param(_async, "an async function", id="async"), pytest.param(_generator, "a generator", id="generator")],
)
def test_a_flow_must_be_a_plain_function(fn: Any, told: str) -> None:
    with pytest.raises(InvalidFlow, match=told):
        flow(fn)


# --- versions and settings ----------------------------------------------------------------------------------


def test_a_version_comes_from_the_build_then_the_decorator_then_is_latest() -> None:
    pinned = flow(version="2.1.0")(daily_etl.fn)

    assert daily_etl.build().version == "latest"
    assert pinned.build().version == "2.1.0"
    assert pinned.build(version="3").version == "3"


@pytest.mark.parametrize("version", ["", "a b", "1/2", 7])
def test_a_version_that_cannot_be_one_is_refused(version: Any) -> None:
    with pytest.raises(InvalidFlow, match="version"):
        flow(version=version)(daily_etl.fn)
    with pytest.raises(InvalidFlow, match="version"):
        daily_etl.build(version=version)


def test_a_delay_function_is_told_by_its_import_path() -> None:
    patient = task(name="patient", retries=1, retry_delay_seconds=len)(extract.fn)  # type: ignore[arg-type]

    assert patient.spec.retry_delay_seconds == {"$callable": "builtins:len"}


def test_a_flow_keeps_its_settings() -> None:
    resilient = flow(name="resilient", retries=2, retry_delay_seconds=1.5, retry_jitter_factor=0.1)(daily_etl.fn)

    assert (resilient.name, resilient.policy.retries, resilient.policy.delay_s) == ("resilient", 2, 1.5)
    assert daily_etl.description == "Daily data pipeline"
