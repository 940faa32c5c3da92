"""Tasks keep the signature of their function. Not run, but read by mypy: an ignore that is not needed is an error."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Callable

from typing_extensions import assert_type

from dagy import Task, flow, task


@task
def bare(x: int, *, label: str = "") -> str:
    return label * x


@task(retries=3, retry_delay_seconds=[1, 5, 30], timeout_seconds=60)
def with_settings(x: int, *more: float) -> list[float]:
    return [x, *more]


@task
def nothing() -> None: ...


@task
async def fetched(url: str) -> bytes:
    return url.encode()


@task(retries=1)
async def fetched_again(url: str) -> bytes:
    return url.encode()


def calls_of_the_right_kind() -> None:
    assert_type(bare(1, label="a"), str)
    assert_type(with_settings(1, 2.0, 3), list[float])
    assert_type(bare.fn(1), str)
    assert_type(bare.name, str)
    assert_type(bare.description, str | None)
    assert_type(bare.timeout_seconds, float | None)
    nothing()


def calls_of_the_wrong_kind() -> None:
    bare("1")  # type: ignore[arg-type]
    bare()  # type: ignore[call-arg]
    bare(1, "a")  # type: ignore[call-arg]
    bare(1, lable="a")  # type: ignore[call-arg]
    with_settings(1, "2")  # type: ignore[arg-type]
    bare.fn("1")  # type: ignore[arg-type]
    bare.retires  # type: ignore[attr-defined]  # noqa: B018


@flow
def a_result_is_passed_as_what_it_will_be() -> list[float]:
    with_settings(bare(1))  # type: ignore[arg-type]
    return with_settings(len(bare(1)), 2.0)


@flow
def an_async_task_gives_what_it_will_have_awaited() -> bytes:
    assert_type(fetched("a"), bytes)
    assert_type(fetched_again("a"), bytes)
    fetched(fetched_again("a"))  # type: ignore[arg-type]
    return fetched("a")


def outside_of_flows_the_function_of_an_async_task_gives_a_coroutine() -> None:
    assert_type(fetched.fn("a"), Coroutine[Any, Any, bytes])  # type: ignore[unused-coroutine]
    assert_type(fetched_again.fn("a"), Coroutine[Any, Any, bytes])  # type: ignore[unused-coroutine]
    fetched.fn(1)  # type: ignore[arg-type,unused-coroutine]


def takes_a_task(anything: Task[..., str], exactly: Callable[[int], str]) -> None: ...


takes_a_task(bare, bare)
takes_a_task(with_settings, with_settings)  # type: ignore[arg-type]
