"""A child process's life: import the flow, trace it, say what the plan is, run it, say how it ended."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import Struct

from dagy.artifact import Metadata, load_extracted
from dagy.authoring import TracedFlow
from dagy.core.errors import ArtifactSerializationError, ModuleUnloadable
from dagy.core.sizes import Executor
from dagy.execution.failures import failure_of
from dagy.execution.recorder import (
    Cancelled,
    Control,
    Failed,
    Failure,
    Finished,
    HandedBack,
    Outcome,
    RunOptions,
    Succeeded,
)
from dagy.execution.runner import run_flow
from dagy.local.arguments import argument_texts
from dagy_runtime.worker.frames import (
    Ended,
    FlowCancelled,
    FlowFailed,
    FlowHandedBack,
    FlowSucceeded,
    Logged,
    Planned,
    PlannedTask,
    Refused,
)
from dagy_runtime.worker.import_path import put_on_path
from dagy_runtime.worker.link import Link
from dagy_runtime.worker.payloads import to_payload
from dagy_runtime.worker.recorder import PipeRecorder, shortened
from dagy_runtime.worker.surroundings import child_environment, cut_ties


class Job(Struct, frozen=True):
    """Everything a child needs to know; it has it by being forked."""

    run_id: str
    code_dir: Path  # the extracted artifact
    work_dir: Path  # empty; the child's working directory
    temp_dir: Path  # empty; where `tempfile` makes its files
    handover_dir: Path  # empty; for large results, both ways
    metadata: Metadata
    parameters: Mapping[str, Any]
    options: RunOptions
    finished: Finished
    is_plan_only: bool = False  # trace the flow, tell its plan, and hand everything back
    only_task: str | None = None  # run this one task run, whose parents are finished; the rest is others'
    package_dirs: tuple[Path, ...] = ()  # extracted dependency packages, in the order they were attached


def live(job: Job, *, parent_pid: int, channel: socket.socket, stdout_fd: int, stderr_fd: int) -> None:
    """The whole life of a child, from the fork on. The caller ends the process when this returns, and also when it
    raises: nothing of the parent's stack may go on in here.
    """
    environ = child_environment(os.environ, run_id=job.run_id, temp_dir=job.temp_dir, package_dirs=job.package_dirs)
    cut_ties(
        parent_pid=parent_pid,
        channel=channel,
        stdout_fd=stdout_fd,
        stderr_fd=stderr_fd,
        environ=environ,
        work_dir=job.work_dir,
    )
    control = Control()
    link = Link(channel, control)
    ended = _carry_out(job, link, control)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    link.send(ended)


def _carry_out(job: Job, link: Link, control: Control) -> Ended:
    try:
        traced = _traced(job)
    except BaseException as error:  # also `sys.exit()` in a module's body
        return _author_failure(error, job, link)
    if job.only_task is not None:
        traced = _part_of(traced, job.only_task)
    tasks = _planned(traced, job.metadata)
    reply = link.ask(lambda number: Planned(number, tasks))
    if isinstance(reply, Refused):
        return FlowFailed(Failure("PlanChanged", reply.reason))
    if job.only_task is not None:
        traced = _on_its_own(traced)
    if job.is_plan_only:
        control.drain()
    recorder = PipeRecorder(link, handover_dir=job.handover_dir, code_dir=job.code_dir)
    try:
        outcome = run_flow(traced, recorder, options=job.options, finished=job.finished, control=control)
        return _ended(outcome, job)
    except BaseException as error:
        return _author_failure(error, job, link)


def _traced(job: Job) -> TracedFlow:
    put_on_path(job.package_dirs)
    return load_extracted(job.code_dir, job.metadata).trace(**job.parameters)


def _planned(traced: TracedFlow, metadata: Metadata) -> tuple[PlannedTask, ...]:
    calls = list(traced.calls.values())
    return tuple(
        PlannedTask(
            call.id,
            call.task.name,
            tuple(call.depends_on),
            call.task.concurrency_limit,
            metadata.task_codes.get(call.task.name, ""),
            _digest(arguments),
            Executor(call.task.executor) if call.task.executor else None,
        )
        for call, arguments in zip(calls, argument_texts(calls), strict=True)
    )


def _digest(text: str) -> str:
    """Of arguments, whose text may hold what is nobody's business. Empty for those that cannot be compared."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:16] if text else ""


def _part_of(traced: TracedFlow, task_run_id: str) -> TracedFlow:
    """The flow as far as this task run is concerned. One that is not in it gives an empty plan, which is refused."""
    calls = {id: call for id, call in traced.calls.items() if id == task_run_id}
    return replace(traced, calls=calls, output=None)


def _on_its_own(traced: TracedFlow) -> TracedFlow:
    """With nothing to wait for: what its tasks depend on is done, and the results are the recorder's to give."""
    return replace(traced, calls={id: replace(call, depends_on=()) for id, call in traced.calls.items()})


def _ended(outcome: Outcome, job: Job) -> Ended:
    match outcome:
        case Succeeded(output=None):
            return FlowSucceeded(None)
        case Succeeded(output=output) if output is not None:
            try:
                return FlowSucceeded(to_payload(output, folder=job.handover_dir))
            except ArtifactSerializationError as error:
                return FlowFailed(Failure(type(error).__name__, str(error)))
        case Failed(failure=failure, task_run_id=task_run_id):
            return FlowFailed(shortened(failure, job.code_dir), task_run_id)
        case Cancelled(reason=reason):
            return FlowCancelled(reason)
        case HandedBack(resume_in_s=resume_in_s, flow_attempt=flow_attempt):
            return FlowHandedBack(resume_in_s, flow_attempt)
    raise AssertionError(f"run_flow returned {outcome!r}")


def _author_failure(error: BaseException, job: Job, link: Link) -> FlowFailed:
    """The traceback goes into the log as well: that is where people look first."""
    failure = shortened(_failure(error), job.code_dir)
    for line in failure.traceback.splitlines():
        link.send(Logged(None, "stderr", line))
    return FlowFailed(failure)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, SystemExit):
        return replace(failure_of(error), message=f"The flow's code called sys.exit({error.code!r})")
    if isinstance(error, ModuleUnloadable) and error.__cause__ is not None:
        # Its message says which file; the traceback worth reading is that of what stopped the import.
        return Failure(type(error).__name__, f"{error}: {error.hint}", failure_of(error.__cause__).traceback)
    return failure_of(error)
