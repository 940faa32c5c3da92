"""User code can say anything to the function around it, in the child's name: it fails its own run, and nothing else."""

from __future__ import annotations

import pytest

from dagy.core.states import Status
from dagy_runtime.engine.advance import Finished

SPOKEN_FOR = """
    import gc, os, signal
    from pathlib import Path
    from dagy import flow, task
    from dagy.execution.recorder import Failure, Measured
    from dagy_runtime.worker import frames
    from dagy_runtime.worker.link import Link

    HANDOVER = Path.cwd().parent / "handover"
    MEASURED = Measured(1.0, 1.0, 1.0)
    FAILURE = Failure("E", "no")

    def in_file(path, size_bytes=5):
        return frames.Payload("json", "0" * 64, size_bytes, path=str(path))

    def result(path):
        return frames.TaskSucceeded(999, "speaks-1", 1, in_file(path), MEASURED)

    def linked(target):
        os.symlink(target, HANDOVER / "link")
        return HANDOVER / "link"

    def pipe():
        os.mkfifo(HANDOVER / "pipe")
        return HANDOVER / "pipe"

    def huge():
        with open(HANDOVER / "huge", "wb") as file:
            file.truncate(513 * 2**20)
        return HANDOVER / "huge"

    def swapped():
        (HANDOVER.parent / "mine").mkdir()
        (HANDOVER.parent / "mine" / "value").write_text("5")
        HANDOVER.rename(HANDOVER.parent / "before")
        (HANDOVER.parent / "mine").rename(HANDOVER)
        return HANDOVER / "value"

    @task
    def before() -> int:
        return 1

    @task
    def speaks(words: str, before: int) -> int:
        link = next(each for each in gc.get_objects() if isinstance(each, Link))
        link.send(eval(words))
        signal.pause()
        return 2

    @task
    def after(speaks: int) -> int:
        return 1

    @flow
    def spoken_for(words: str):
        return after(speaks(words, before()))
"""


@pytest.mark.parametrize(
    "words, reason",
    [
        ("result('/proc/self/environ')", "another folder"),
        ("result(linked('/proc/self/environ'))", "cannot be opened"),
        ("result(linked('/proc'))", "cannot be opened"),
        ("result(HANDOVER / '..' / 'code' / 'the_flow.py')", "another folder"),
        ("result(str(HANDOVER) + '/')", "another folder"),
        ("result(HANDOVER / 'nothing')", "cannot be opened"),
        ("result(str(HANDOVER) + '/a\\0b')", "cannot be opened"),
        ("result(pipe())", "no plain file"),
        ("result(huge())", "too large"),
        ("result(swapped())", "cannot be opened"),
        ("frames.TaskSucceeded(999, 'speaks-1', 1, frames.Payload('json', '0' * 64, 5), MEASURED)", "another folder"),
        ("frames.FlowSucceeded(in_file('/proc/self/environ'))", "another folder"),
        ("frames.TaskStarted('ghost-1', 1)", "not in its plan, 'ghost-1'"),
        ("frames.TaskSucceeded(999, 'ghost-1', 1, frames.Payload('json', '0' * 64, 1, b'1'), MEASURED)", "'ghost-1'"),
        ("frames.TaskSucceeded(999, 'after-1', 1, frames.Payload('json', '0' * 64, 1, b'1'), MEASURED)", "'after-1'"),
        ("frames.TaskFailed('ghost-1', 1, FAILURE, MEASURED)", "not in its plan"),
        ("frames.TaskRetrying('ghost-1', 1, FAILURE, 1.0)", "not in its plan"),
        ("frames.TaskSkipped('ghost-1', 'why')", "not in its plan"),
        ("frames.TaskCancelled('ghost-1', 'why')", "not in its plan"),
        ("frames.TaskStarted('before-1', 2)", "cannot start any more"),
        ("frames.TaskFailed('before-1', 1, FAILURE, MEASURED)", "cannot start any more"),
        ("frames.TaskStarted('after-1', 0)", ">= 1"),
        ("frames.FlowHandedBack(float('nan'), 1)", "float"),
        ("frames.FlowHandedBack(float('inf'), 1)", "<="),
        ("frames.FlowHandedBack(1.0, -1)", ">= 1"),
    ],
)
def test_what_cannot_be_is_not_believed_and_fails_the_run(stage, words, reason):
    run_id = stage.submit(stage.deploy(SPOKEN_FOR), {"words": words})

    assert stage.advance(run_id) == Finished(Status.FAILED)

    run, tasks = stage.run(run_id), stage.tasks(run_id)
    assert run.problem.error_type == "ProcessBroken"
    assert reason in run.problem.message
    assert [tasks[name].status for name in ("before-1", "after-1")] == [Status.SUCCEEDED, Status.CANCELLED]
    assert tasks["speaks-1"].status in (Status.FAILED, Status.CANCELLED)
    assert stage.ports.blobs.list_keys(f"runs/{run_id}/results/") == []


def test_a_result_that_is_not_there_is_refused_and_leaves_the_run_alone(stage):
    source = SPOKEN_FOR.replace("link.send(eval(words))", "link.ask(eval(words))").replace("signal.pause()", "pass")
    run = stage.run_to_end(source, {"words": "lambda number: frames.ResultWanted(number, 'ghost-1')"})

    assert run.status is Status.SUCCEEDED
