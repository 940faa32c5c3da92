"""Every kind of argument reaches its task, every kind of result the next one, in memory and from the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagy import TaskTimeoutError, flow, task
from dagy.testing import fail_task, run_in_memory, slow_task


@dataclass(frozen=True)
class Summary:
    rows: int
    names: tuple[str, ...]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path))
    yield tmp_path


def is_same(a: Any, b: Any) -> bool:
    if isinstance(a, pd.DataFrame):
        return bool(a.equals(b)) and list(a.dtypes) == list(b.dtypes)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: None, id="none"),
        pytest.param(lambda: {"a": [1, 2.5, None, True]}, id="JSON"),
        pytest.param(lambda: (1, "two", [3]), id="several results"),
        pytest.param(lambda: Summary(3, ("a", "b")), id="a dataclass"),
        pytest.param(lambda: bytes(range(256)) * 100, id="bytes"),
        pytest.param(lambda: pd.DataFrame({"n": [1, 2], "name": ["a", None]}), id="a data frame"),
        pytest.param(lambda: np.arange(12.0).reshape(3, 4), id="a numpy array"),
        pytest.param(lambda: np.float32(1.5), id="a numpy number"),
    ],
)
def test_a_result_reaches_the_next_task_the_flow_and_the_records(make: Callable[[], Any]) -> None:
    taken: list[Any] = []

    @task
    def give() -> Any:
        return make()

    @task
    def take(value: Any, nested: dict[str, list[Any]]) -> None:
        taken.extend([value, nested["in"][0]])

    @flow
    def handed_on() -> Any:
        given = give()
        take(given, {"in": [given]})
        return given

    ran = handed_on.run_local()
    in_memory = run_in_memory(handed_on)
    results = [ran.result, ran.result_of("give-1"), in_memory.result, in_memory.task("give").result]
    assert len(taken) == 4
    assert all(is_same(value, make()) for value in (*taken, *results))


def test_every_kind_of_parameter_is_filled_with_results() -> None:
    @task
    def number(x: int) -> int:
        return x

    @task
    def every(first: int, /, second: int, third: int = 3, *rest: int, key: int, other: int = 7, **more: int) -> Any:
        return [first, second, third, rest, key, other, more]

    @flow
    def calls() -> Any:
        n = [number(x) for x in range(10)]
        return [
            every(n[1], n[2], key=n[6]),
            every(n[1], n[2], n[3], n[4], n[5], key=n[6], other=n[7], extra=n[8]),
            every(1, key=n[6], second=n[2]),
        ]

    assert run_in_memory(calls, max_workers=3).result == [
        [1, 2, 3, (), 6, 7, {}],
        [1, 2, 3, (4, 5), 6, 7, {"extra": 8}],
        [1, 2, 3, (), 6, 7, {}],
    ]


@pytest.mark.parametrize("settings", [{"timeout_seconds": 5.0}, {"timeout_seconds": 5.0, "retries": 2}])
def test_a_timed_out_async_task_is_like_any_other(settings: dict[str, Any]) -> None:
    @task(**settings)
    async def polls() -> int:
        return 1

    @flow
    def polling() -> int:
        return polls()

    run = run_in_memory(polling, given=[slow_task("polls", 60)])
    run.assert_failed(TaskTimeoutError, task="polls")
    assert run.task("polls").attempts == 1 + settings.get("retries", 0)


def test_a_flow_retried_after_a_timeout_keeps_what_is_finished() -> None:
    @task(timeout_seconds=30)
    def slow(x: int) -> int:
        return x

    @flow(retries=2, retry_delay_seconds=[100, 1000])
    def retried() -> list[int]:
        return [slow(1), slow(2), slow(3)]

    run = run_in_memory(retried, given=[slow_task("slow-2", 31, times=1), fail_task("slow-3", times=1)])
    assert run.result == [1, 2, 3]
    assert {task.id: task.attempts for task in run.tasks} == {"slow-1": 1, "slow-2": 2, "slow-3": 2}
