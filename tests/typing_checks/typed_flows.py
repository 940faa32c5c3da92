"""Flows keep the signature of their function. Not run, but read by mypy: an ignore that is not needed is an error."""

from __future__ import annotations

import datetime as dt

from typing_extensions import assert_type

from dagy import Flow, FlowSpec, flow, task
from dagy.authoring import TracedFlow


@task
def extract(day: dt.date) -> list[str]:
    return [str(day)]


@flow
def bare(day: dt.date, limit: int = 10) -> list[str]:
    return extract(day)


@flow(name="daily", version="1.0.0", retries=1, retry_delay_seconds=5.0)
def with_settings(day: dt.date) -> dict[str, list[str]]:
    return {"rows": bare(day)}


@flow
def without_a_value() -> None:
    extract(dt.date.today())


DAY = dt.date(2026, 3, 4)


def calls_of_the_right_kind() -> None:
    assert_type(bare(DAY), list[str])
    assert_type(with_settings(day=DAY), dict[str, list[str]])
    assert_type(bare.fn(DAY, 3), list[str])
    assert_type(bare.trace(DAY, limit=3), TracedFlow)
    assert_type(bare.build(), FlowSpec)
    without_a_value()


def calls_of_the_wrong_kind() -> None:
    bare("2026-03-04")  # type: ignore[arg-type]
    bare()  # type: ignore[call-arg]
    bare(DAY, limits=3)  # type: ignore[call-arg]
    bare.trace(DAY, limit="3")  # type: ignore[arg-type]
    bare.deploy(shedule="0 9 * * *")  # type: ignore[call-arg]
    bare.run_local(DAY, max_workers="4")  # type: ignore[arg-type]


@flow
def a_flow_in_a_flow_gives_its_value() -> list[str]:
    return with_settings(DAY)  # type: ignore[return-value]


def takes_a_flow(anything: Flow[..., list[str]]) -> None: ...


takes_a_flow(bare)
takes_a_flow(with_settings)  # type: ignore[arg-type]
