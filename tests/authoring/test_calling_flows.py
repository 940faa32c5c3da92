"""Calling a flow like a function runs it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagy import TaskOutput, flow, task
from dagy.core.errors import MissingParameter, TaskFailedError


@task
def double(x: int) -> int:
    return 2 * x


@task
def fail(x: int) -> int:
    raise ValueError(f"{x} is not liked")


@flow
def doubling(n: int, version: str = "none") -> Any:
    return {"results": [double(n), double(double(n))], "version": version}


@pytest.fixture(autouse=True)
def local_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path))
    return tmp_path


def test_a_called_flow_returns_its_value_and_keeps_records(local_dir: Path) -> None:
    assert doubling(3) == {"results": [6, 12], "version": "none"}
    assert (local_dir / "runs").is_dir()


def test_a_parameter_may_have_any_name(local_dir: Path) -> None:
    assert doubling(3, version="2")["version"] == "2"


def test_a_called_flow_raises_what_went_wrong() -> None:
    with pytest.raises(MissingParameter, match="'n'"):
        doubling()  # type: ignore[call-arg]
    with pytest.raises(TaskFailedError, match=r"Task fail failed: .*3 is not liked"):
        flow(name="failing")(lambda: fail(3))()


def test_a_task_that_calls_tasks_calls_functions() -> None:
    @task
    def outer(x: int) -> bool:
        return isinstance(double(x), TaskOutput)

    assert flow(name="calling")(lambda: outer(1))() is False
