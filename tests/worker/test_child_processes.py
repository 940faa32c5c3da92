"""A child process from its fork to its burial: what it says, how it is steered, and that it always goes."""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

import pytest

from dagy.execution.recorder import Finished
from dagy.results import Encoded, decode, encode
from dagy_runtime.worker.frames import (
    INLINE_BYTES,
    Accepted,
    Cancel,
    Drain,
    FlowCancelled,
    FlowFailed,
    FlowHandedBack,
    FlowSucceeded,
    Logged,
    Planned,
    Refused,
    ResultGiven,
    ResultWanted,
    TaskStarted,
    TaskSucceeded,
)
from dagy_runtime.worker.payloads import from_payload, to_payload
from dagy_runtime.worker.process import Broken, ChildProcess, Exit

TWO_TASKS = """
    from dagy import flow, task

    @task
    def first(n: int) -> int:
        print("first runs")
        return n + 1

    @task
    def second(n: int) -> int:
        return n * 10

    @flow
    def main(n: int):
        return second(first(n))
"""


def converse(child: ChildProcess, *, results: dict[str, Encoded] | None = None, on_start=None) -> list[object]:
    """Everything the child said; what it told is accepted, what it asked for is given from `results`."""
    said: list[object] = []
    while child.exit is None:
        for heard in child.hear(10.0):
            said.append(heard)
            if isinstance(heard, (Planned, TaskSucceeded)):
                child.say(Accepted(heard.number))
            elif isinstance(heard, ResultWanted):
                encoded = (results or {})[heard.task_run_id]
                child.say(ResultGiven(heard.number, to_payload(encoded, folder=Path(os.devnull).parent)))
            elif isinstance(heard, TaskStarted) and on_start is not None:
                child.say(on_start)
    return said


def test_a_flow_tells_its_plan_its_tasks_and_its_end(make_job):
    with ChildProcess.start(make_job(TWO_TASKS, n=1)) as child:
        said = converse(child)

    assert [type(each).__name__ for each in said if not isinstance(each, Logged)] == [
        "Planned",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStarted",
        "TaskSucceeded",
        "FlowSucceeded",
    ]
    assert [(task.id, task.depends_on) for task in said[0].tasks] == [("first-1", ()), ("second-1", ("first-1",))]
    assert Logged("first-1", "stdout", "first runs") in said
    assert decode(from_payload(said[-1].output)) == 20
    assert (child.exit.code, child.exit.signal_name) == (0, None)


def test_finished_tasks_are_not_run_again_and_their_results_are_asked_for(make_job):
    finished = Finished(succeeded=frozenset({"first-1"}))
    with ChildProcess.start(make_job(TWO_TASKS, finished=finished, n=1)) as child:
        said = converse(child, results={"first-1": encode(7)})

    assert [each.task_run_id for each in said if isinstance(each, TaskStarted)] == ["second-1"]
    assert decode(from_payload(said[-1].output)) == 70


def test_a_task_is_not_done_before_its_result_is_accepted(make_job):
    with ChildProcess.start(make_job(TWO_TASKS, n=1)) as child:
        said = []
        while not (told := [each for each in said if isinstance(each, TaskSucceeded)]):
            for heard in child.hear(10.0):
                said.append(heard)
                if isinstance(heard, Planned):
                    child.say(Accepted(heard.number))
        said += child.hear(0.05)
        assert [each.task_run_id for each in said if isinstance(each, TaskStarted)] == ["first-1"], "the second waits"
        child.say(Refused(told[0].number, "no room for it"))
        rest = converse(child)

    assert isinstance(rest[-1], FlowFailed)
    assert "no room for it" in rest[-1].failure.message


@pytest.mark.parametrize("word, end", [(Drain(), FlowHandedBack), (Cancel("enough"), FlowCancelled)])
def test_a_child_can_be_told_to_stop(make_job, word, end):
    with ChildProcess.start(make_job(TWO_TASKS, n=1)) as child:
        said = []
        while not (plans := [each for each in said if isinstance(each, Planned)]):
            said += child.hear(10.0)
        child.say(word)
        child.say(Accepted(plans[0].number))
        rest = converse(child)

    assert isinstance(rest[-1], end)


def test_a_plan_that_is_refused_starts_nothing(make_job):
    with ChildProcess.start(make_job(TWO_TASKS, n=1)) as child:
        said = []
        while not said:
            said += child.hear(10.0)
        child.say(Refused(said[0].number, "another plan than before"))
        rest = converse(child)

    assert [type(each) for each in rest] == [FlowFailed]
    assert rest[0].failure.message == "another plan than before"


def test_large_results_travel_as_files(make_job):
    source = """
        from dagy import flow, task

        @task
        def large() -> str:
            return "x" * (3 * 1024 * 1024)

        @flow
        def main():
            return large()
    """
    job = make_job(source)
    with ChildProcess.start(job) as child:
        said = converse(child)

    (succeeded,) = [each for each in said if isinstance(each, TaskSucceeded)]
    assert succeeded.result.data is None and succeeded.result.size_bytes > INLINE_BYTES
    assert len(decode(from_payload(succeeded.result))) == 3 * 1024 * 1024
    assert not Path(succeeded.result.path).exists(), "whoever reads it, takes it off the disk"


DOOMED = """
    import os, signal, sys
    from dagy import flow, task

    @task
    def only() -> int:
        {body}

    @flow
    def main():
        return only()
"""


@pytest.mark.parametrize(
    "body, code, signal_name",
    [
        ("os._exit(3)", 3, None),
        ("os.kill(os.getpid(), signal.SIGKILL)", None, "SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", None, "SIGTERM"),
        ("os.abort()", None, "SIGABRT"),
        ("os.killpg(0, signal.SIGKILL)", None, "SIGKILL"),
    ],
)
def test_how_a_child_ended_is_known(make_job, body, code, signal_name):
    with ChildProcess.start(make_job(DOOMED.format(body=body))) as child:
        said = converse(child)

    assert isinstance(said[-1], TaskStarted)
    assert isinstance(child.exit, Exit)
    assert (child.exit.code, child.exit.signal_name) == (code, signal_name)
    assert child.exit.peak_mib > 1


def test_nonsense_in_the_pipe_is_noticed(make_job):
    body = "[os.write(fd, b'\\xff' * 64) for fd in range(3, 40) if os.path.exists(f'/dev/fd/{fd}')]; signal.pause()"
    with ChildProcess.start(make_job(DOOMED.format(body=body))) as child:
        said: list[object] = []
        while not any(isinstance(each, Broken) for each in said):
            for heard in child.hear(10.0):
                said.append(heard)
                if isinstance(heard, Planned):
                    child.say(Accepted(heard.number))


def test_a_child_that_does_not_stop_is_killed_with_all_it_started(make_job, tmp_path):
    pids = tmp_path / "pids"
    start = f"open({str(pids)!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))"
    body = f"import subprocess; {start}; signal.pause()"
    with ChildProcess.start(make_job(DOOMED.format(body=body))) as child:
        while not (pids.exists() and pids.read_text()):
            for heard in child.hear(10.0):
                if isinstance(heard, Planned):
                    child.say(Accepted(heard.number))

    assert child.exit.signal_name == "SIGKILL"
    assert_gone(int(pids.read_text()))


def test_a_child_does_not_outlive_its_parent(make_job):
    job = make_job(DOOMED.format(body="signal.pause()"))
    ours, theirs = socket.socketpair()
    parent = os.fork()
    if parent == 0:
        try:
            child = ChildProcess.start(job)
            theirs.sendall(child.pid.to_bytes(4, "big"))
            while True:
                for heard in child.hear(10.0):
                    if isinstance(heard, Planned):
                        child.say(Accepted(heard.number))
                    if isinstance(heard, TaskStarted):
                        theirs.sendall(b"!")
        finally:
            os._exit(1)
    try:
        child_pid = int.from_bytes(ours.recv(4), "big")
        assert ours.recv(1) == b"!"
    finally:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        ours.close()
        theirs.close()

    assert_gone(child_pid)


def assert_gone(pid: int) -> None:
    """Waits for the process's end, for ten seconds."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([fd], [], [], 10)
        assert readable, f"process {pid} still runs"
    finally:
        os.close(fd)


def test_fifty_children_leave_no_descriptor_behind(make_job):
    job = make_job(DOOMED.format(body="os._exit(0)"))
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(50):
        with ChildProcess.start(job):
            pass

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_flows_own_failure_names_itself(make_job):
    source = """
        from dagy import flow, task

        @flow
        def main(n: int):
            raise LookupError("in the flow's body")
    """
    with ChildProcess.start(make_job(source, n=1)) as child:
        said = converse(child)

    assert isinstance(said[-1], FlowFailed)
    assert said[-1].failure.error_type == "LookupError"
    assert 'raise LookupError("in the flow\'s body")' in said[-1].failure.traceback
    assert 'File "the_flow.py", line' in said[-1].failure.traceback
    assert not any(isinstance(each, FlowSucceeded) for each in said)
