"""`run_in_memory`: what it tells, and what it leaves alone."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import dagy.testing
from dagy import InvalidInput, MissingParameter, ParameterTypeError, RunContext, State, flow, task
from dagy.testing import LogLine, run_in_memory, with_result


@task
def extract(n: int) -> list[int]:
    print(f"extracting {n}")
    return list(range(n))


@task
def total(rows: list[int]) -> int:
    if not rows:
        raise ValueError("no rows")
    return sum(rows)


@task
def save(value: int, *, when: dt.date) -> str:
    return f"{value} on {when}"


@flow
def etl(n: int = 3, when: dt.date = dt.date(2026, 3, 4)) -> str:
    return save(total(extract(n)), when=when)


def test_a_run_tells_its_result_and_every_tasks() -> None:
    run = run_in_memory(etl, 4)
    run.assert_succeeded()
    assert run.result == "6 on 2026-03-04"
    assert run.statuses == {"extract-1": "SUCCEEDED", "total-1": "SUCCEEDED", "save-1": "SUCCEEDED"}
    assert [(task.id, task.name, task.attempts, task.result) for task in run.tasks] == [
        ("extract-1", "extract", 1, [0, 1, 2, 3]),
        ("total-1", "total", 1, 6),
        ("save-1", "save", 1, "6 on 2026-03-04"),
    ]
    assert (run.error, run.failed_task_id, run.duration_s) == (None, None, 0.0)


def test_parameters_go_by_position_or_name_and_are_converted() -> None:
    run = run_in_memory(etl, n=2, when="2026-12-24")
    assert run.result == "1 on 2026-12-24"
    assert run.task("save").arguments == {"value": 1, "when": dt.date(2026, 12, 24)}


@pytest.mark.parametrize(
    "args, kwargs, error",
    [
        pytest.param(("many",), {}, ParameterTypeError, id="of the wrong type"),
        pytest.param((), {"m": 1}, InvalidInput, id="unknown"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_as_everywhere(args: Any, kwargs: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        run_in_memory(etl, *args, **kwargs)


def test_a_parameter_named_like_a_setting_goes_by_position() -> None:
    @flow
    def odd(flow: int, given: int) -> int:
        return flow + given

    assert run_in_memory(odd, 1, 2).result == 3
    assert run_in_memory(flow(name="by_name")(lambda flow: flow), flow=5).result == 5
    with pytest.raises(MissingParameter, match="'given'"):
        run_in_memory(odd, 1)


def test_a_failed_run_is_an_answer() -> None:
    run = run_in_memory(etl, 0)
    assert run.statuses == {"extract-1": "SUCCEEDED", "total-1": "FAILED", "save-1": "CANCELLED"}
    assert isinstance(run.error, ValueError)
    assert run.failed_task_id == "total-1"
    failed = run.task("total")
    assert failed.failure is not None
    assert (failed.failure.error_type, failed.failure.message) == ("ValueError", "no rows")
    assert (run.task("save").attempts, run.task("save").reason) == (0, "'total-1' failed")
    assert run.task("save").arguments is None


def test_without_fail_fast_the_rest_goes_on() -> None:
    @flow
    def two() -> list[Any]:
        return [total(extract(0)), total(extract(3))]

    run = run_in_memory(two, fail_fast=False)
    assert run.status == "FAILED"
    assert run.statuses["total-2"] == "SUCCEEDED"


def test_tasks_run_side_by_side_when_there_are_workers() -> None:
    import threading

    both = threading.Barrier(2)

    @task
    def meets() -> None:
        both.wait(timeout=10)

    @flow
    def meeting() -> None:
        meets()
        meets()

    run_in_memory(meeting, max_workers=2).assert_succeeded()


def test_what_cannot_be_stored_fails_here_too() -> None:
    @task
    def opens() -> Any:
        return (line for line in "ab")

    @flow
    def lazy() -> Any:
        return opens()

    error = run_in_memory(lazy).assert_failed(dagy.ArtifactSerializationError, task="opens")
    assert "return a list" in str(error)


def test_results_are_copies() -> None:
    run = run_in_memory(etl, 3)
    run.task("extract").result.append("more")
    assert run.task("extract").result == [0, 1, 2]


def test_a_flow_that_cannot_give_its_own_result_fails_without_a_task_to_blame() -> None:
    @flow
    def odd() -> Any:
        return lambda: 1

    run = run_in_memory(odd)
    run.assert_failed(dagy.ArtifactSerializationError)
    assert run.failed_task_id is None


def test_a_task_run_is_found_by_id_and_by_the_name_of_a_task_called_once() -> None:
    @flow
    def twice() -> Any:
        return [total(extract(1)), extract(2)]

    run = run_in_memory(twice)
    assert run.task("extract-2").result == [0, 1]
    assert run.task("total").id == "total-1"
    with pytest.raises(AssertionError, match=r"'extract' was called more than once .* extract-1, extract-2"):
        run.task("extract")
    with pytest.raises(AssertionError, match=r"'extrct' was not called .* extract-1, total-1, extract-2"):
        run.task("extrct")


# --- logs ---------------------------------------------------------------------------------------------------


def test_each_tasks_words_are_in_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    @task
    def talks() -> None:
        print("printed\nin two lines")
        print("to stderr", file=sys.stderr)
        logging.getLogger("shop").warning("logged")

    @flow(on_completion=[lambda context, state: print("the flow is done")])
    def talking() -> None:
        talks()
        extract(1)

    run = run_in_memory(talking)
    assert run.task("talks").lines == (
        LogLine("stdout", "printed"),
        LogLine("stdout", "in two lines"),
        LogLine("stderr", "to stderr"),
        LogLine("WARNING", "shop: logged"),
    )
    assert run.task("extract").log == "extracting 1"
    assert run.log == "the flow is done"
    assert capsys.readouterr().out == "printed\nin two lines\nextracting 1\nthe flow is done\n"


def test_hooks_are_called() -> None:
    told: list[tuple[str, str]] = []

    def note(context: RunContext, state: State) -> None:
        told.append((context.name, state.type))

    @task(on_running=[note], on_completion=[note])
    def quiet() -> None: ...

    @flow(on_completion=[note])
    def hooked() -> None:
        quiet()

    run_in_memory(hooked, given=[with_result("quiet", None)])
    assert told == [("quiet", "RUNNING"), ("quiet", "SUCCEEDED"), ("hooked", "SUCCEEDED")]


def test_ctrl_c_ends_the_test_and_not_only_the_run() -> None:
    import signal

    @task
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)

    @flow
    def stopped() -> None:
        interrupted()

    with pytest.raises(KeyboardInterrupt):
        run_in_memory(stopped)


# --- what it is not -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, told",
    [
        pytest.param({"max_workers": 0}, "max_workers .* 0", id="no workers"),
        pytest.param({"max_workers": True}, "max_workers .* True", id="a bool of workers"),
        pytest.param({"chance": 1.5}, "chance .* 1.5", id="more chance than there is"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        run_in_memory(etl, **wrong)


def test_only_flows_are_run() -> None:
    with pytest.raises(InvalidInput, match="runs flows, got <Task 'extract'>"):
        run_in_memory(extract)  # type: ignore[arg-type]


def test_nothing_is_written_opened_or_loaded_for_it(tmp_path: Path) -> None:
    """In a process of its own, which notes what it opens for writing, and every socket."""
    script = tmp_path / "audited.py"
    script.write_text(
        textwrap.dedent("""
            import json, os, sys
            from dagy import flow, task
            from dagy.testing import fail_task, run_in_memory

            @task(retries=1, retry_delay_seconds=3600)
            def one() -> int:
                print("one")
                return 1

            @flow
            def ones() -> list:
                return [one() for _ in range(20)]

            touched = []
            def audit(event, args):
                if event.startswith("socket.") or event in ("os.mkdir", "os.rename", "os.remove", "duckdb.connect"):
                    touched.append(event)
                elif event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                    touched.append(str(args[0]))
            sys.dont_write_bytecode = True
            sys.addaudithook(audit)
            run = run_in_memory(ones, max_workers=4, given=[fail_task("one", times=1)])
            heavy = sorted({"boto3", "duckdb", "yaml", "pytest", "urllib3", "dagy.local"} & set(sys.modules))
            result = [run.result, touched, heavy]
            sys.stderr.write(json.dumps(result))
        """)
    )
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "DAGY_LOCAL_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stderr) == [[1] * 20, [], []]
    assert not home.exists()


@pytest.mark.parametrize("name", dagy.testing.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    assert getattr(dagy.testing, name).__doc__ or name == "Change"
    assert f"`{name}" in (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
