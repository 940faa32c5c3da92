"""Runs whose tasks are isolated give what runs in one process give, and what runs on this machine give."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dagy.core.sizes import Executor, Isolation
from dagy.core.states import Status
from dagy_runtime.values import Problem

ISOLATED = Isolation.TASK_ISOLATED

FLOWS = {
    "a fan-out and its sum": """
        from dagy import flow, task

        @task
        def double(n: int) -> int:
            print(f"doubling {n}")
            return n * 2

        @task
        def total(numbers: list[int]) -> int:
            return sum(numbers)

        @flow
        def f(n: int = 3):
            return total([double(i) for i in range(n)])
    """,
    "a chain, results of many kinds, and hooks": """
        import datetime, decimal
        from dagy import Hook, flow, task

        class Tell(Hook):
            def __call__(self, context, state):
                print(f"{context.kind} {context.name} {state.type}")

        @task(on_running=[Tell()], on_completion=[Tell()])
        def first():
            return {"day": datetime.date(2026, 3, 4), "price": decimal.Decimal("1.10")}

        @task
        def second(known):
            return [known["day"].isoformat(), {1, 2}]

        @task
        def third(known, other=5):
            return (known, other)

        @flow(on_running=[Tell()], on_completion=[Tell()])
        def f():
            known = first()
            return {"a": third(second(known), other=known), "b": [known]}
    """,
    "a task that fails once and is retried": """
        import pathlib
        from dagy import RunContext, flow, task

        @task(retries=2, retry_delay_seconds=[0, 600])
        def flaky(path: str):
            tries = pathlib.Path(path)
            tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
            if len(tries.read_text()) < 3:
                raise ValueError(f"try {len(tries.read_text())}")
            return "done"

        @flow
        def f(path: str):
            return flaky(path)
    """,
    "a failure that ends the run": """
        from dagy import flow, task

        @task
        def bad():
            raise ValueError("no luck")

        @task
        def after(x):
            return x

        @flow
        def f():
            return after(bad())
    """,
    "a flow without tasks": """
        from dagy import flow

        @flow
        def f():
            return 42
    """,
    "a flow that does not import": """
        from dagy import flow, task

        @task
        def t():
            return 1

        @flow
        def f(n: int = 1):
            import os
            if "DAGY_RUN_ID" in os.environ:
                raise RuntimeError("not here")
            return t()
    """,
    "a task that ends its process": """
        import os
        from dagy import flow, task

        @task
        def leave():
            os._exit(3)

        @flow
        def f():
            return leave()
    """,
    "a result that cannot be stored": """
        import threading
        from dagy import flow, task

        @task
        def lock():
            return threading.Lock()

        @flow
        def f():
            return lock()
    """,
}


def told(problem: Problem) -> tuple[str, str]:
    """Without the memory that a dead process had used, and without which task it was: that stands in the tasks."""
    message = problem.message.rpartition("peak")[0] or problem.message
    return problem.error_type, message.rpartition("Task run leave-1: ")[2]


def told_by_task(stage: Any, run_id: str) -> dict[str | None, list[str]]:
    """The types of a run's events by task, without those that tell of invocations: these differ."""
    told: dict[str | None, list[str]] = {}
    for event in stage.ports.runs.list_events(run_id, limit=1000).items:
        if event.type not in ("run_resumed", "run_handed_back"):
            told.setdefault(event.task_run_id, []).append(event.type)
    return told


def outcome(
    stage: Any,
    source: str,
    isolation: Isolation,
    parameters: dict[str, Any],
    executor: Executor | None = None,
    **options: Any,
) -> dict[str, Any]:
    flow = stage.deploy(source)
    if executor is not None:
        options["deployment"] = stage.deployment(flow, default_executor=executor)
    run_id = stage.submit(flow, parameters, isolation=isolation, **options)
    stage.until_quiet()
    run = stage.run(run_id)
    return {
        "status": run.status,
        "problem": told(run.problem) if run.problem else None,
        "result": stage.result(run_id) if run.status is Status.SUCCEEDED else None,
        "events": told_by_task(stage, run_id),
        "tasks": {id: (task.status, task.attempt) for id, task in stage.tasks(run_id).items()},
        "printed": {id: [line.partition("; peak ")[0] for line in stage.log(run_id, id)] for id in stage.tasks(run_id)},
    }


@pytest.mark.parametrize("executor", list(Executor))
@pytest.mark.parametrize("name", FLOWS)
def test_an_isolated_run_comes_to_what_a_run_in_one_process_comes_to(
    stage: Any, tmp_path: Any, name: str, executor: Executor
) -> None:
    path = {"path": ""} if "path: str" in FLOWS[name] else {}

    whole = outcome(stage, FLOWS[name], Isolation.IN_PROCESS, {key: str(tmp_path / "whole") for key in path})
    how = {"executor": executor, "isolation": ISOLATED}
    apart = outcome(stage, FLOWS[name], parameters={key: str(tmp_path / "apart") for key in path}, **how)

    assert apart == whole
    begun = sorted(id for id, (_, attempt) in whole["tasks"].items() if attempt > 0)
    tries = [1, 2] if "retried" in name and executor is Executor.ECS else [1]  # a container does not wait for long
    for machine, its in ((stage.ports.executions, Executor.STEP_FUNCTIONS), (stage.ports.containers, Executor.ECS)):
        executed = sorted(execution.message.task_run_id for execution in machine.started)
        assert executed == (sorted(id for id in begun for _ in tries) if executor is its else [])


def test_without_fail_fast_only_what_depends_on_a_failure_is_skipped(stage: Any) -> None:
    source = """
        from dagy import flow, task

        @task
        def bad():
            raise ValueError("no luck")

        @task
        def good():
            return 1

        @task
        def pair(a, b):
            return (a, b)

        @flow
        def f():
            x, y = bad(), good()
            return [pair(x, y), pair(y, y), pair(pair(x, y), y)]
    """
    whole = outcome(stage, source, Isolation.IN_PROCESS, {}, fail_fast=False)
    apart = outcome(stage, source, ISOLATED, {}, fail_fast=False)

    assert apart["tasks"] == whole["tasks"]
    assert apart["events"] == whole["events"]
    assert apart["tasks"]["pair-2"] == (Status.SUCCEEDED, 1)
    assert [apart["tasks"][f"pair-{n}"][0] for n in (1, 3, 4)] == [Status.SKIPPED] * 3
    assert (apart["status"], apart["problem"]) == (whole["status"], whole["problem"])


ON_THIS_MACHINE = """
    import json, re, sys
    from pathlib import Path
    from dagy.artifact import load_target
    from dagy.core.errors import DagyError
    from dagy.local import LocalRecords, run_local
    from dagy.local.watcher import Unwatched

    events, given = {}, json.loads(sys.argv[2])

    class Watcher(Unwatched):
        def task_changed(self, task_run_id, status, **how):
            word = {"RUNNING": "started", "PENDING": "retrying"}.get(status, status.lower())
            events.setdefault(task_run_id, []).append(f"task_{word}")

    def printed(log):
        lines = log.read_text().splitlines() if log.exists() else []
        # What stands behind time and stream; a stage's tracebacks name files as they lie in the artifact.
        return [re.sub('File ".*/', 'File "', line[33:]) for line in lines]

    result = None
    try:
        result = repr(run_local(load_target(sys.argv[1]), kwargs=given, watcher=Watcher()).result)
    except DagyError:
        pass
    records = LocalRecords()
    run = records.latest_run()
    tasks = records.task_runs(run.id)
    lines = {task.id: records.log_path(run.id, task.id) for task in tasks}
    print(json.dumps({
        "status": run.status, "events": events,
        "problem": [run.error_type, run.message and run.message.rpartition("' failed: ")[2]], "result": result,
        "tasks": {task.id: [task.status, task.attempt] for task in tasks},
        "printed": {id: printed(path) for id, path in lines.items()},
    }))
"""
"""One run by the local runner, and what came of it."""
NOT_HERE = {
    "a flow that does not import": "it wants to be traced on AWS, and would not fail here",
    "a task that ends its process": "on a laptop it ends the command (docs/operating.md)",
}


@pytest.mark.parametrize("name", [name for name in FLOWS if name not in NOT_HERE])
def test_a_run_on_this_machine_comes_to_what_a_run_of_the_stage_comes_to(stage: Any, tmp_path: Path, name: str) -> None:
    takes_path = "path: str" in FLOWS[name]
    for tries in (tmp_path / "there", tmp_path / "here"):
        tries.write_text("x")  # the second attempt is the last: the third would come after ten minutes
    (tmp_path / "the_flow.py").write_text(textwrap.dedent(FLOWS[name]))
    there = outcome(stage, FLOWS[name], Isolation.IN_PROCESS, {"path": str(tmp_path / "there")} if takes_path else {})
    del there["events"][None]  # what AWS does with the run

    parameters = json.dumps({"path": str(tmp_path / "here")} if takes_path else {})
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ON_THIS_MACHINE), tmp_path / "the_flow.py", parameters],
        env={**os.environ, "DAGY_LOCAL_DIR": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    here = json.loads(done.stdout.splitlines()[-1])

    shown = {"result": there["result"] and repr(there["result"]), "problem": list(there["problem"] or (None, None))}
    assert here == {**there, **shown, "tasks": {id: list(ended) for id, ended in there["tasks"].items()}}
