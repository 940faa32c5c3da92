"""Whatever an isolated task does, it is FAILED with a reason that a person understands, nothing else is disturbed, and
the function is ready for the next.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.dead_letters import GivenUp, bury
from dagy_runtime.engine.isolated.task import Ran, run_task
from dagy_runtime.entrypoints import failures, runtime
from dagy_runtime.messages import RunTask, to_json

ISOLATED = Isolation.TASK_ISOLATED

SOURCE = """
    import ctypes, gc, os, resource, signal, subprocess, sys, threading, time
    from pathlib import Path
    from dagy import flow, task
    from dagy.execution.recorder import Failure, Measured
    from dagy_runtime.worker import frames
    from dagy_runtime.worker.link import Link

    def say(frame):
        next(each for each in gc.get_objects() if isinstance(each, Link)).send(frame)
        signal.pause()

    @task
    def good() -> int:
        return 1

    @task({settings})
    def bad() -> object:
        print("the end is near")
        {body}

    @flow
    def f():
        return [good(), bad()]
"""


def run_bad(stage: Any, body: str, settings: str = "") -> Any:
    source = SOURCE.replace("{settings}", settings).replace("{body}", body)
    run_id = stage.submit(stage.deploy(source), isolation=ISOLATED, fail_fast=False)
    stage.until_quiet()
    return stage.run(run_id), stage.tasks(run_id)


@pytest.mark.parametrize(
    "body, settings, error_type, said",
    [
        pytest.param("os._exit(7)", "", "ProcessDied", "ended itself with exit code 7", id="ends its process"),
        pytest.param("os.kill(os.getpid(), 9)", "", "ProcessDied", "was killed (SIGKILL", id="kills its process"),
        pytest.param("ctypes.string_at(0)", "", "ProcessDied", "was killed (SIGSEGV", id="crashes in native code"),
        pytest.param("sys.exit(2)", "", "SystemExit", "2", id="calls sys.exit"),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); bytearray(2**31)",
            "",
            "MemoryError",
            "",
            id="fills the memory",
        ),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); Path('full').write_text('x' * 99)",
            "",
            "OSError",
            "File too large",
            id="fills the disk",
        ),
        pytest.param(
            "[os.fork() or time.sleep(600) for _ in range(40)]; raise ValueError('forked')",
            "",
            "ValueError",
            "forked",
            id="forks",
        ),
        pytest.param("os.closerange(3, 99)", "", "ProcessDied", "SIGKILL", id="closes its pipes"),
        pytest.param(
            "[signal.signal(s, signal.SIG_IGN) for s in (2, 15)] if 0 else None; time.sleep(600)",
            "timeout_seconds=0.3",
            "TaskTimeoutError",
            "0.3",
            id="runs past its timeout",
        ),
        pytest.param("return threading.Lock()", "", "ArtifactSerializationError", "lock", id="gives what has no bytes"),
        pytest.param("say(frames.TaskStarted('ghost-1', 1))", "", "ProcessBroken", "not its own", id="tells of others"),
        pytest.param(
            "say(frames.TaskSucceeded(9, 'good-1', 1, frames.Payload('json', '0' * 64, 1, b'1'), Measured(1, 1, 1)))",
            "",
            "ProcessBroken",
            "not its own",
            id="gives another's result",
        ),
        pytest.param(
            "say(frames.TaskSucceeded(9, 'bad-1', 1, frames.Payload('json', '0' * 64, 5, path='/proc/self/environ'),"
            " Measured(1, 1, 1)))",
            "",
            "ProcessBroken",
            "another folder",
            id="gives a file of the machine",
        ),
    ],
)
def test_a_task_that_ends_badly_fails_alone_and_says_why(
    stage: Any, body: str, settings: str, error_type: str, said: str
) -> None:
    before = _descendants()

    run, tasks = run_bad(stage, body, settings)

    assert (run.status, tasks["good-1"].status) == (Status.FAILED, Status.SUCCEEDED)
    assert (tasks["bad-1"].status, tasks["bad-1"].problem.error_type) == (Status.FAILED, error_type)
    assert said in tasks["bad-1"].problem.message
    assert "the end is near" in stage.log(run.id, "bad-1")
    assert _descendants() <= before, "nothing of it runs on"
    assert run_bad(stage, "return 2")[0].status is Status.SUCCEEDED, "the function is ready for the next"


def test_a_task_that_ignores_signals_is_ended_when_the_functions_time_is_over(stage: Any) -> None:
    before = _descendants()
    body = "threading.Thread(target=time.sleep, args=(600,)).start(); time.sleep(600)"
    run_id = stage.submit(stage.deploy(SOURCE.replace("{settings}", "").replace("{body}", body)), isolation=ISOLATED)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    ends_at = time.monotonic() + 2.0

    ran = run_task(
        stage.ports,
        RunTask(run_id, "bad-1", 1),
        time_left=lambda: max(0.0, ends_at - time.monotonic()),
        console=stage.console.append,
    )

    assert ran == Ran(Status.FAILED)
    problem = stage.tasks(run_id)["bad-1"].problem
    assert problem.error_type == "OutOfTime" and "one task cannot take longer than that" in problem.message
    assert _descendants() <= before


def planned(stage: Any) -> str:
    run_id = stage.submit(
        stage.deploy(SOURCE.replace("{settings}", "").replace("{body}", "return 2")), isolation=ISOLATED
    )
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    return str(run_id)


class OtherArtifacts:
    """Blobs whose files are not what they were: `become` writes another, or raises."""

    def __init__(self, blobs: Any, become: Callable[[str, Path], str]) -> None:
        self._blobs, self._become = blobs, become

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def get_file(self, key: str, path: Path, **_: Any) -> str:
        return self._become(key, path)


def gone(key: str, path: Path) -> str:
    raise NotFound("object", key)


def changed(key: str, path: Path) -> str:
    path.write_bytes(b"something else")
    return "ab" * 32


@pytest.mark.parametrize(
    "become, error_type, said",
    [
        pytest.param(gone, "ArtifactGone", "Deploy again", id="gone"),
        pytest.param(changed, "ArtifactMismatch", "nothing of it was executed", id="changed"),
    ],
)
def test_an_artifact_that_is_not_what_it_was_fails_the_task_and_the_run(
    stage: Any, become: Callable[[str, Path], str], error_type: str, said: str
) -> None:
    run_id = planned(stage)

    blobs = OtherArtifacts(stage.ports.blobs, become)
    dataclasses.replace(stage, ports=replace(stage.ports, blobs=blobs)).until_quiet()

    assert stage.tasks(run_id)["good-1"].problem.error_type == error_type
    assert stage.run(run_id).status is Status.FAILED
    assert said in stage.run(run_id).problem.message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"v": 1, "kind": "run-task"}, id="without a task"),
        pytest.param({"v": 1, "kind": "run-task", "run_id": 5, "task_run_id": "t", "position": 0}, id="of wrong types"),
        pytest.param({"v": 1, "kind": "run-task", "run_id": "r", "task_run_id": "t", "x": 1}, id="with more in it"),
        pytest.param({"v": 2, "kind": "run-task", "run_id": "r", "task_run_id": "t"}, id="of another version"),
        pytest.param("run-task", id="as a word"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused_by_name_and_kept(stage: Any, message: Any) -> None:
    with pytest.raises(InvalidInput):
        runtime.handle(stage.ports, message, Context())

    failures.handle(stage.ports, {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": message})

    assert len(stage.ports.runs.list_dead_letters(limit=9).items) == 1


class Context:
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def test_a_task_that_aws_gave_up_on_fails_with_the_reason_and_so_does_its_run(stage: Any) -> None:
    run_id = planned(stage)
    message = next(d.message for d in stage.ports.dispatcher.waiting if d.message.task_run_id == "bad-1")
    stage.ports.dispatcher.waiting.clear()

    bury(stage.ports, GivenUp("RetriesExhausted", "request-9", 3, "Runtime.ExitError", to_json(message)))

    task = stage.tasks(run_id)["bad-1"]
    assert (task.status, task.problem.error_type) == (Status.FAILED, "InvocationFailed")
    assert "after 3 tries (RetriesExhausted): Runtime.ExitError" in task.problem.message
    (letter,) = stage.ports.runs.list_dead_letters(limit=9).items
    assert (letter.run_id, letter.message["task_run_id"]) == (run_id, "bad-1")
    told = [(e.type, e.task_run_id) for e in stage.ports.runs.list_events(run_id, limit=99).items]
    assert ("task_failed", "bad-1") in told
    stage.until_quiet()  # the reconciler's look
    assert stage.run(run_id).status is Status.FAILED
    assert task.problem.message in stage.run(run_id).problem.message


def _descendants() -> set[str]:
    """Other tests may have left some in this process, such as the one that answers the CDK."""
    children = {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
    return {pid for pid in children if Path(f"/proc/{pid}/exe").exists()}
