"""The program of a container as a process: what it says when it cannot begin, and how it ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from dagy_runtime.entrypoints.container import FAILED, STOPPED
from dagy_runtime.messages import AdvanceRun, RunTask, to_json

ENVIRON = {
    "DAGY_TABLE": "t",
    "DAGY_BUCKET": "b",
    "DAGY_TIMER_STATE_MACHINE": "arn:timer",
    "DAGY_TASK_STATE_MACHINE": "arn:tasks",
    "DAGY_CONTAINER_STATE_MACHINE": "arn:containers",
    "DAGY_RUNTIME_FUNCTION": "dagy-nano",
    "DAGY_SIZE": "nano",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
MESSAGE = json.dumps(to_json(RunTask("run-1", "load-1", 0)))


def begun(**environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dagy_runtime.entrypoints.container"],
        env={**ENVIRON, **environ},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "environ, told",
    [
        pytest.param(
            {"DAGY_MESSAGE": MESSAGE, "DAGY_TABLE": ""}, "Missing in the environment: DAGY_TABLE", id="no table"
        ),
        pytest.param({}, "DAGY_MESSAGE is no JSON", id="no message"),
        pytest.param({"DAGY_MESSAGE": "{"}, "DAGY_MESSAGE is no JSON", id="half a message"),
        pytest.param({"DAGY_MESSAGE": json.dumps(to_json(AdvanceRun("r")))}, "AdvanceRun", id="another message"),
    ],
)
def test_what_it_cannot_begin_with_is_told_and_its_execution_sees_that_it_failed(environ, told):
    process = begun(**environ)
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in said) == (FAILED, False)
    assert told in said


def test_told_to_end_it_ends_at_once_whatever_it_waits_for():
    with socket.create_server(("127.0.0.1", 0)) as aws:
        process = begun(DAGY_MESSAGE=MESSAGE, AWS_ENDPOINT_URL=f"http://127.0.0.1:{aws.getsockname()[1]}")
        connection, _ = aws.accept()  # it has asked for the task, and is never answered
        with connection:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
    assert process.returncode == STOPPED
    assert "container_stopped" in said
