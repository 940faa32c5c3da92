"""A warm function runs one flow after another, and none finds anything of the one before."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from dagy.core.states import Status

INTRUDER = """
    import json, os, signal, sys, tempfile, threading
    from pathlib import Path
    import settings
    from dagy import flow, task

    @task
    def look() -> list[str]:
        found = []
        if settings.OWNER != {owner!r}:
            found.append(f"module of {{settings.OWNER}}")
        if hasattr(settings, "planted"):
            found.append("global")
        if "PLANTED" in os.environ:
            found.append("environment")
        if hasattr(json, "planted"):
            found.append("monkeypatch")
        found += [f"file {{path}}" for path in [*Path.cwd().iterdir(), *Path(tempfile.gettempdir()).iterdir()]]
        if "planted" in sys.path:
            found.append("path")
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            found.append("signal handler")
        if len(threading.enumerate()) > 5:
            found.append("threads")
        return found

    @task
    def plant(seen: list[str]) -> list[str]:
        settings.planted = json.planted = True
        settings.OWNER = "nobody"
        os.environ["PLANTED"] = "1"
        sys.path.append("planted")
        Path("planted").touch()
        tempfile.NamedTemporaryFile(delete=False).close()
        os.chdir("/")
        os.umask(0)
        return seen

    @flow
    def {owner}():
        return plant(look())
"""


def test_twenty_alternations_of_two_flows_show_nothing_of_one_in_the_other(stage):
    flows = [
        stage.deploy(INTRUDER.format(owner=owner), files={"settings.py": f"OWNER = {owner!r}\n"})
        for owner in ("montague", "capulet")
    ]

    for turn in range(20):
        run_id = stage.submit(flows[turn % 2])
        stage.until_quiet()
        assert stage.run(run_id).status is Status.SUCCEEDED, stage.run(run_id).problem
        assert stage.result(run_id) == []


def test_fifty_runs_leave_the_functions_own_process_as_it_was(stage):
    flow = stage.deploy(INTRUDER.format(owner="guest"), files={"settings.py": "OWNER = 'guest'\n"})
    stage.submit(flow)
    stage.until_quiet()
    before = _state()

    for _ in range(50):
        stage.submit(flow)
    stage.until_quiet()

    assert _state() == before
    assert "settings" not in sys.modules and "the_flow" not in sys.modules


def _state() -> dict[str, object]:
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "modules": set(sys.modules),
        "path": list(sys.path),
        "environment": dict(os.environ),
        "directory": Path.cwd(),
        "threads": threading.active_count(),
        "handlers": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)],
        "children": [path.read_text() for path in Path("/proc/self/task").glob("*/children")],
    }


def test_user_code_sees_its_credentials_and_none_of_the_platforms_settings(stage, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "DAGY_STAGE": "dev",
        "DAGY_TABLE": "dagy-dev",
        "DAGY_BUCKET": "dagy-artifacts",
    }.items():
        monkeypatch.setenv(name, value)

    run = stage.run_to_end("""
        import os
        from dagy import flow, task

        @task
        def look() -> dict[str, str]:
            return {name: value for name, value in os.environ.items() if name.startswith(("DAGY_", "AWS_"))}

        @flow
        def looking():
            return look()
    """)

    seen = stage.result(run.id)
    assert seen["AWS_ACCESS_KEY_ID"] == "test"
    assert "AWS_LAMBDA_RUNTIME_API" not in seen
    assert {name: value for name, value in seen.items() if name.startswith("DAGY_")} == {
        "DAGY_STAGE": "dev",
        "DAGY_RUN_ID": run.id,
    }
