"""What runs, when, with what, and what comes out."""

from __future__ import annotations

import asyncio
import resource
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy import flow, task
from dagy.core.refs import TaskOutput
from dagy.execution.recorder import Failed, Finished, RunOptions, Succeeded
from dagy.execution.runner import run_flow
from dagy.results import decode, encode


@task
def number(x: int) -> int:
    return x


@task
def add(*numbers: int) -> int:
    return sum(numbers)


@task
def double(x: int) -> int:
    return 2 * x


@flow
def diamond():
    start = number(1)
    left, right = double(start), add(start, 10)
    return {"sum": add(left, right), "left": left}


def test_a_flow_gives_what_its_tasks_compute(run):
    ran = run(diamond)
    assert ran.value == {"sum": 13, "left": 2}
    assert ran.notes.values() == {"number-1": 1, "double-1": 2, "add-1": 11, "add-2": 13}


def test_a_task_starts_only_after_its_parents_results_are_durable(run, notes):
    durable: set[str] = set()
    parents = {id: call.depends_on for id, call in diamond.trace().calls.items()}
    notes.on_succeeded = durable.add
    early: list[str] = []
    notes.on_started = lambda id: early.extend(parent for parent in parents[id] if parent not in durable)
    run(diamond, max_workers=4)
    assert early == []


def test_with_one_worker_tasks_run_in_the_flows_order(run):
    @flow
    def wide():
        return [number(x) for x in range(5)]

    assert run(wide).notes.ids("started") == [f"number-{n}" for n in range(1, 6)]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_at_most_max_workers_tasks_run_at_once(run, limit):
    together = threading.Barrier(limit)
    lock, running, most = threading.Lock(), [0], [0]

    @task
    def busy(x: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait(timeout=10)
        with lock:
            running[0] -= 1

    @flow
    def wide():
        for x in range(limit * 4):
            busy(x)

    assert isinstance(run(wide, max_workers=limit).outcome, Succeeded)
    assert most[0] == limit


def test_a_tasks_own_limit_holds_while_others_use_the_free_workers(run):
    lock, running, most = threading.Lock(), [0], [0]
    both_kinds = threading.Barrier(3)

    @task(concurrency_limit=2)
    def limited(x: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        if x < 2:
            both_kinds.wait(timeout=10)  # two of these and the free one run together
        with lock:
            running[0] -= 1

    @task
    def free() -> None:
        both_kinds.wait(timeout=10)

    @flow
    def mixed():
        for x in range(6):
            limited(x)
        free()

    assert isinstance(run(mixed, max_workers=4).outcome, Succeeded)
    assert most[0] == 2


def test_references_inside_nested_data_become_values(run):
    @task
    def describe(data: dict) -> str:
        return repr(data)

    @flow
    def nested():
        return describe({"all": [number(1), (number(2), {"deep": number(3)})]})

    assert run(nested).value == "{'all': [1, (2, {'deep': 3})]}"


def test_an_async_task_is_awaited(run):
    @task
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @flow
    def asynchronous():
        return later(later(1))

    assert run(asynchronous, max_workers=2).value == 3


def test_a_flow_without_tasks_and_one_without_a_value_succeed(run):
    @flow
    def only_data():
        return [1, 2]

    @flow
    def nothing():
        number(1)

    assert run(only_data).value == [1, 2]
    assert run(nothing).outcome == Succeeded(None)


def test_arguments_are_converted_to_what_the_task_declares(run):
    @task
    def typed(x: float) -> str:
        return repr(x)

    @flow
    def converts():
        return typed(number(2))

    assert run(converts).value == "2.0"


def test_an_argument_of_the_wrong_type_fails_without_a_retry(run):
    @task
    def text() -> str:
        return "many"

    @task(retries=5)
    def typed(x: int) -> int:
        return x

    @flow
    def mistyped():
        return typed(text())

    ran = run(mistyped)
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.failure.error_type == "ParameterTypeError"
    assert "'x' expects int" in ran.outcome.failure.message
    assert ran.notes.ids("started").count("typed-1") == 1


@pytest.mark.parametrize(
    "make, words",
    [
        pytest.param(lambda: (x for x in range(3)), "return a list", id="a generator"),
        pytest.param(lambda: TaskOutput("other-1"), "flow's body", id="a task's output"),
        pytest.param(lambda: [TaskOutput("other-1")], "flow's body", id="a task's output inside a list"),
        pytest.param(lambda: {"lock": threading.Lock()}, "['lock']", id="something that cannot be pickled"),
    ],
)
def test_a_result_that_cannot_be_stored_fails_the_task_and_says_why(run, make: Callable[[], Any], words):
    @task(retries=3)
    def wrong():
        return make()

    @flow
    def flows():
        return wrong()

    ran = run(flows)
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.failure.error_type == "ArtifactSerializationError"
    assert words in ran.outcome.failure.message
    assert ran.notes.ids("started") == ["wrong-1"]


def test_every_attempt_is_measured(run):
    @task
    def work() -> int:
        return sum(range(200_000))

    @flow
    def measured():
        return work()

    measured_work = run(measured, real_time=True).notes.measured["work-1"]
    assert measured_work.duration_s >= measured_work.cpu_s * 0.5 > 0
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 1 < measured_work.peak_mib <= peak_kib / 1024 + 1


@pytest.mark.parametrize(
    "make, expected",
    [
        pytest.param(lambda: _chain(1200), 1200, id="a chain of 1,200"),
        pytest.param(lambda: _fan(10_000), 49_995_000, id="a fan-out and fan-in of 10,000"),
    ],
)
def test_deep_and_wide_flows_run(run, make, expected):
    assert run(make(), max_workers=4).value == expected


def test_results_are_let_go_when_nobody_needs_them_any_more(run):
    megabyte = 2**20

    @task
    def big(previous: Any) -> bytes:
        return bytes(2 * megabyte)

    @task
    def size(data: bytes) -> int:
        return len(data)

    @flow
    def heavy():
        data = big(None)
        for _ in range(30):
            data = big(data)
        return size(data)

    traced = heavy.trace()
    tracemalloc.start()
    try:
        outcome = run_flow(traced, _Forgetful(), options=RunOptions())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Succeeded)
    assert peak < 25 * megabyte  # 60 if all were kept


def test_finished_tasks_do_not_run_again_and_their_results_are_read_only_when_needed(run, notes):
    notes.earlier = {"number-1": encode(1), "double-1": encode(2)}
    asked: list[str] = []
    earlier = notes.result_of
    notes.result_of = lambda id: (asked.append(id), earlier(id))[1]
    ran = run(diamond, finished=Finished(succeeded=frozenset({"number-1", "double-1"})))
    assert ran.value == {"sum": 13, "left": 2}
    assert ran.notes.ids("started") == ["add-1", "add-2"]
    assert sorted(asked) == ["double-1", "number-1"]


def test_attempts_of_an_earlier_execution_count(run):
    @task(retries=2)
    def fails():
        raise ValueError("no")

    @flow
    def resumed():
        return fails()

    ran = run(resumed, finished=Finished(attempts=(("fails-1", 1),)))
    assert [told for told in ran.notes.told if told[0] in ("started", "failed")] == [
        ("started", "fails-1", 2),
        ("started", "fails-1", 3),
        ("failed", "fails-1", 3),
    ]


# --- laws over generated flows ------------------------------------------------------------------------------


@st.composite
def dags(draw):
    """Parents of each task, by position; and which tasks fail."""
    count = draw(st.integers(1, 25))
    parents = [draw(st.lists(st.integers(0, at - 1), max_size=4, unique=True)) if at else [] for at in range(count)]
    failing = draw(st.sets(st.integers(0, count - 1), max_size=count // 4))
    return parents, failing


def _flow_of(parents: list[list[int]], failing: set[int]):
    @task
    def node(at: int, *inputs: int) -> int:
        if at in failing:
            raise ValueError(f"node {at}")
        return at + 2 * sum(inputs)

    @flow
    def generated():
        outputs: list[Any] = []
        for at, its_parents in enumerate(parents):
            outputs.append(node(at, *(outputs[parent] for parent in its_parents)))
        return outputs

    return generated


def _sequentially(parents: list[list[int]], failing: set[int]) -> tuple[dict[str, int], set[str], set[str]]:
    values: dict[int, int] = {}
    failed, skipped = set(), set()
    for at, its_parents in enumerate(parents):
        if any(parent not in values for parent in its_parents):
            skipped.add(at)
        elif at in failing:
            failed.add(at)
        else:
            values[at] = at + 2 * sum(values[parent] for parent in its_parents)
    names = {at: f"node-{at + 1}" for at in range(len(parents))}
    return (
        {names[at]: value for at, value in values.items()},
        {names[at] for at in failed},
        {names[at] for at in skipped},
    )


@settings(max_examples=80, deadline=None)
@given(dags(), st.sampled_from([1, 2, 5]), st.sampled_from([0, 1, 64]))
def test_without_fail_fast_a_run_equals_a_sequential_one(make_notes, dag, max_workers, ahead):
    parents, failing = dag
    notes = make_notes()
    traced = _flow_of(parents, failing).trace()
    outcome = run_flow(traced, notes, options=RunOptions(fail_fast=False, max_workers=max_workers, ahead=ahead))
    values, failed, skipped = _sequentially(parents, failing)
    assert notes.values() == values
    assert (set(notes.ids("failed")), set(notes.ids("skipped"))) == (failed, skipped)
    assert len(notes.ids("started")) == len(set(notes.ids("started"))) == len(values) + len(failed)
    _assert_order(notes, traced)
    if failed:
        assert isinstance(outcome, Failed)
        assert outcome.task_run_id in failed
    else:
        assert isinstance(outcome, Succeeded)
        assert decode(outcome.output) == list(values.values())


@settings(max_examples=80, deadline=None)
@given(dags(), st.sampled_from([1, 3]), st.sampled_from([0, 1, 64]))
def test_with_fail_fast_every_task_ends_in_exactly_one_way(make_notes, dag, max_workers, ahead):
    parents, failing = dag
    notes = make_notes()
    traced = _flow_of(parents, failing).trace()
    outcome = run_flow(traced, notes, options=RunOptions(fail_fast=True, max_workers=max_workers, ahead=ahead))
    ends = [told[1] for told in notes.told if told[0] in ("succeeded", "failed", "cancelled", "skipped")]
    assert sorted(ends) == sorted(traced.calls)
    values, failed, _ = _sequentially(parents, failing)
    assert notes.values().items() <= values.items()
    assert set(notes.ids("failed")) <= failed
    _assert_order(notes, traced)
    assert isinstance(outcome, Failed if failed else Succeeded)
    if max_workers == 1 and failed:
        assert notes.ids("failed") == [outcome.task_run_id]
        assert notes.told.index(("failed", outcome.task_run_id, 1)) > max(
            at for at, told in enumerate(notes.told) if told[0] == "started"
        )


def _assert_order(notes, traced) -> None:
    """Everything a task waits for succeeded before it started."""
    succeeded: set[str] = set()
    for what, id, *_ in notes.told:
        if what == "started":
            assert set(traced.calls[id].depends_on) <= succeeded
        elif what == "succeeded":
            succeeded.add(id)


def _chain(length: int):
    @flow
    def chain():
        x = number(0)
        for _ in range(length):
            x = add(x, 1)
        return x

    return chain


def _fan(width: int):
    @task
    def total(numbers: list) -> int:
        return sum(numbers)

    @flow
    def fan():
        return total([number(x) for x in range(width)])

    return fan


class _Forgetful:
    """Records nothing: what stays in memory is the runner's."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None
