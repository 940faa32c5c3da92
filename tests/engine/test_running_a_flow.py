"""What a run on a stage does when nothing goes wrong but the flow's own code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dagy.core.errors import InvalidInput
from dagy.core.states import Status
from dagy_runtime.engine.advance import Finished
from dagy_runtime.entrypoints import runtime
from dagy_runtime.messages import AdvanceRun, Reconcile, to_json
from dagy_runtime.ports import RunFilter

ARITHMETIC = """
    from dagy import flow, task

    @task
    def double(n: int) -> int:
        print(f"doubling {n}")
        return n * 2

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @flow
    def arithmetic(n: int = 3):
        return total([double(i) for i in range(n)])
"""


def test_a_run_succeeds_with_its_result_its_tasks_and_its_story(stage):
    run = stage.run_to_end(ARITHMETIC, {"n": 3})

    assert (run.status, stage.result(run.id)) == (Status.SUCCEEDED, 6)
    tasks = stage.tasks(run.id)
    assert list(tasks) == ["double-1", "double-2", "double-3", "total-1"]
    assert {task.status for task in tasks.values()} == {Status.SUCCEEDED}
    assert all(task.attempt == 1 and task.peak_mib and task.duration_s is not None for task in tasks.values())
    assert tasks["total-1"].depends_on == ("double-1", "double-2", "double-3")
    assert stage.events(run.id) == [
        "run_started",
        "tasks_planned",
        *["task_started", "task_succeeded"] * 4,
        "run_succeeded",
    ]


def test_log_lines_carry_the_task_that_printed_them_also_for_cloudwatch(stage):
    run = stage.run_to_end(ARITHMETIC, {"n": 2})

    assert stage.log(run.id, "double-2") == ["doubling 1"]
    lines = [json.loads(line) for line in stage.console]
    assert {(line["run_id"], line["task_run_id"], line["line"]) for line in lines} == {
        (run.id, "double-1", "doubling 0"),
        (run.id, "double-2", "doubling 1"),
    }


def test_the_run_starts_once_however_often_its_message_is_delivered(stage):
    run = stage.run_to_end(ARITHMETIC)

    assert repr(stage.advance(run.id)) == "Ignored(reason='run_final')"
    assert repr(stage.advance("arithmetic-unknown")) == "Ignored(reason='run_unknown')"
    assert stage.run(run.id) == run


def test_a_failing_task_fails_the_run_with_its_traceback(stage):
    run = stage.run_to_end("""
        from dagy import flow, task

        @task
        def divide(n: int) -> float:
            return 1 / n

        @task
        def use(x: float) -> float:
            return x

        @flow
        def broken():
            return use(divide(0))
    """)

    assert (run.status, run.problem.error_type) == (Status.FAILED, "ZeroDivisionError")
    tasks = stage.tasks(run.id)
    assert tasks["divide-1"].status is Status.FAILED
    assert tasks["use-1"].status is Status.CANCELLED
    log = "\n".join(stage.log(run.id))
    for told in (tasks["divide-1"].problem.traceback, log):
        assert "return 1 / n" in told and "ZeroDivisionError: division by zero" in told
        assert re.findall('File "(.*)", line', told) == ["the_flow.py"]  # as it lies in the artifact


def test_a_retry_is_counted_and_told(stage, tmp_path):
    run = stage.run_to_end(
        """
        from pathlib import Path
        from dagy import flow, task

        @task(retries=2)
        def flaky(marker: str) -> str:
            if not Path(marker).exists():
                Path(marker).touch()
                raise ConnectionError("not yet")
            return "there"

        @flow
        def patient(marker: str):
            return flaky(marker)
        """,
        {"marker": str(tmp_path / "marker")},
    )

    assert (run.status, stage.tasks(run.id)["flaky-1"].attempt) == (Status.SUCCEEDED, 2)
    assert "task_retrying" in stage.events(run.id)


def test_a_long_retry_delay_is_a_timers_business_not_an_invocations(stage, tmp_path):
    run_id = stage.submit(
        stage.deploy("""
            from pathlib import Path
            from dagy import flow, task

            @task(retries=1, retry_delay_seconds=300)
            def flaky(marker: str) -> str:
                if not Path(marker).exists():
                    Path(marker).touch()
                    raise ConnectionError("not yet")
                return "there"

            @flow
            def sleepy(marker: str):
                return flaky(marker)
        """),
        {"marker": str(tmp_path / "marker")},
    )

    stage.deliver()
    assert stage.run(run_id).status is Status.RUNNING
    assert repr(stage.advance(run_id)) == "Ignored(reason='run_leased')", "a duplicate does not shorten the wait"
    began_at = stage.clock.now()
    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED
    assert stage.tasks(run_id)["flaky-1"].attempt == 2
    assert stage.clock.now() - began_at >= 299


def test_results_of_every_size_arrive(stage):
    source = """
        from dagy import flow, task

        @task
        def make(size: int) -> str:
            return "x" * size

        @task
        def measure(text: str) -> int:
            return len(text)

        @flow
        def sized(size: int):
            made = make(size)
            return {"length": measure(made), "made": made}
    """
    flow = stage.deploy(source)
    for size in (10, 32 * 1024 - 2, 32 * 1024 - 1, 2**20 - 2, 2**20, 5 * 2**20):
        run_id = stage.submit(flow, {"size": size})
        stage.until_quiet()
        result = stage.result(run_id)
        assert (result["length"], len(result["made"])) == (size, size)
        made = stage.tasks(run_id)["make-1"].result
        assert (made.inline is None) == (made.size_bytes > 32 * 1024)


def test_a_flow_whose_tasks_outlive_a_failure_says_what_was_skipped(stage):
    run = stage.run_to_end(
        """
        from dagy import flow, task

        @task
        def fail() -> int:
            raise ValueError("no")

        @task
        def follow(x: int) -> int:
            return x

        @task
        def other() -> int:
            return 1

        @flow
        def mixed():
            return [follow(fail()), other()]
        """,
        fail_fast=False,
    )

    statuses = {id: task.status for id, task in stage.tasks(run.id).items()}
    assert run.status is Status.FAILED
    assert statuses == {"fail-1": Status.FAILED, "follow-1": Status.SKIPPED, "other-1": Status.SUCCEEDED}


REMOTE_ONLY = "import os\nif 'DAGY_RUN_ID' in os.environ:\n    {remotely}\n"


@pytest.mark.parametrize(
    "remotely, error_type, said",
    [
        pytest.param(
            "import importlib; importlib.import_module('not_there' + '_at_all')",
            "ModuleUnloadable",
            "not_there_at_all",
            id="a missing module",
        ),
        pytest.param("raise RuntimeError('at import')", "ModuleUnloadable", "at import", id="an exception"),
        pytest.param("import sys; sys.exit(3)", "ModuleUnloadable", "3", id="sys.exit"),
        pytest.param("os._exit(9)", "ProcessDied", "exit code 9", id="os._exit"),
        pytest.param("os.kill(os.getpid(), 11)", "ProcessDied", "SIGSEGV", id="a segmentation fault"),
        pytest.param("os.closerange(3, 99)", "ProcessDied", "SIGKILL", id="closing what is not theirs"),
    ],
)
def test_code_that_does_not_import_fails_the_run_and_says_why(stage, remotely, error_type, said):
    prelude = REMOTE_ONLY.format(remotely=remotely)
    source = (
        prelude
        + "from dagy import flow, task\n@task\ndef one():\n    return 1\n@flow\ndef doomed():\n    return one()\n"
    )

    run = stage.run_to_end(source)

    assert (run.status, run.problem.error_type) == (Status.FAILED, error_type)
    assert said in run.problem.message
    assert said in "\n".join(stage.log(run.id))
    assert stage.run_to_end(ARITHMETIC).status is Status.SUCCEEDED, "the function is ready for the next run"


@pytest.mark.parametrize(
    "body, error_type, said",
    [
        pytest.param("os._exit(7)", "ProcessDied", "exit code 7", id="os._exit"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "ProcessDied", "was killed (SIGKILL", id="SIGKILL"),
        pytest.param("sys.exit(2)", "SystemExit", "2", id="sys.exit"),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); bytearray(2**31)",
            "MemoryError",
            "",
            id="no more memory",
        ),
    ],
)
def test_a_task_that_ends_its_process_is_failed_with_the_reason(stage, body, error_type, said):
    run = stage.run_to_end(f"""
        import os, resource, signal, sys
        from dagy import flow, task

        @task
        def fatal() -> int:
            print("the end is near")
            {body}
            return 1

        @flow
        def deadly():
            return fatal()
    """)

    task = stage.tasks(run.id)["fatal-1"]
    assert (run.status, task.status, task.problem.error_type) == (Status.FAILED, Status.FAILED, error_type)
    assert said in task.problem.message
    assert "the end is near" in stage.log(run.id, "fatal-1")
    assert stage.run_to_end(ARITHMETIC).status is Status.SUCCEEDED, "the function is ready for the next run"


def test_what_a_flow_leaves_behind_does_not_hold_up_its_end(stage, tmp_path):
    pid_file, before = tmp_path / "pid", _descendants()
    run = stage.run_to_end(
        """
        import subprocess, threading, time
        from pathlib import Path
        from dagy import flow, task

        @task
        def leave(pid_file: str) -> str:
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
            left = [
                subprocess.Popen(["sleep", "3600"]),
                subprocess.Popen(["sleep", "3600"], start_new_session=True),
                subprocess.Popen(["sh", "-c", "setsid sh -c 'yes & sleep 3600' & sleep 3600"], start_new_session=True),
            ]
            Path(pid_file).write_text(" ".join(str(each.pid) for each in left))
            return "left"

        @flow
        def untidy(pid_file: str):
            return leave(pid_file)
        """,
        {"pid_file": str(pid_file)},
    )

    assert run.status is Status.SUCCEEDED
    assert [pid for pid in pid_file.read_text().split() if _is_running(int(pid))] == []
    assert _descendants() == before


def test_output_that_bypasses_python_is_in_the_runs_log(stage):
    run = stage.run_to_end("""
        import os, subprocess
        from dagy import flow, task

        @task
        def shell() -> int:
            os.write(1, b"straight to the descriptor\\n")
            return subprocess.run(["sh", "-c", "echo from a program; echo oops >&2"], check=True).returncode

        @flow
        def shelling():
            return shell()
    """)

    assert {"straight to the descriptor", "from a program", "oops"} <= set(stage.log(run.id))


def test_listing_open_runs_is_empty_after_the_end(stage):
    stage.run_to_end(ARITHMETIC)

    where = RunFilter(statuses=(Status.PENDING, Status.RUNNING))
    assert stage.ports.runs.list_runs(limit=10, where=where).items == ()


def _descendants() -> set[str]:
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class LambdaContext:
    """As AWS passes it."""

    aws_request_id = "0f1e2d3c-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def test_the_runtime_functions_handler_advances_the_run_its_message_names(stage, capsys):
    run_id = stage.submit(stage.deploy(ARITHMETIC), {"n": 2})

    advanced = runtime.handle(stage.ports, to_json(AdvanceRun(run_id)), LambdaContext())

    assert advanced == Finished(Status.SUCCEEDED)
    assert [json.loads(line)["line"] for line in capsys.readouterr().out.splitlines()] == ["doubling 0", "doubling 1"]


def test_the_runtime_functions_handler_refuses_what_is_not_for_it(stage):
    with pytest.raises(InvalidInput, match="Reconcile"):
        runtime.handle(stage.ports, to_json(Reconcile()), LambdaContext())
