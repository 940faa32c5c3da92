"""How an invocation's work on a run ends when the flow itself did not say: killed, out of time, cancelled. Pure."""

from __future__ import annotations

from typing import Final, Union

from msgspec import Struct

from dagy.core.states import Status
from dagy_runtime.values import Problem, Run
from dagy_runtime.worker.process import Exit

_OUT_OF_MEMORY_SHARE: Final = 0.8


class RunningTask(Struct, frozen=True):
    """An attempt that was running when the invocation's work ended.

    `had_whole_time`: it started before any other task of the invocation ended, so no other invocation could give it
    more time than this one did.
    """

    id: str
    attempt: int
    attempt_id: str
    had_whole_time: bool


class Situation(Struct, frozen=True):
    """Where the flow was."""

    run: Run
    is_planned: bool
    has_progress: bool  # a task ended in this invocation
    running: tuple[RunningTask, ...]
    flow_attempt: int


class End(Struct, frozen=True):
    status: Status
    problem: Problem | None = None


class HandOver(Struct, frozen=True):
    """Go on in another invocation, not before `wait_s` seconds from now."""

    wait_s: float
    flow_attempt: int


class Ending(Struct, frozen=True):
    """What to do: tasks that failed with the invocation, tasks that go back to be started again, and the run."""

    next: Union[End, HandOver]
    failed: tuple[tuple[RunningTask, Problem], ...] = ()
    put_back: tuple[RunningTask, ...] = ()


def after_handing_back(at: Situation, over: HandOver, *, total_s: float) -> Ending:
    """The flow asked for another invocation. One that would begin where this one began is not given: it would end the
    same, for ever.
    """
    if at.has_progress or over.wait_s > 0:
        return Ending(over)
    return Ending(_no_progress(total_s))


def after_time_ran_out(at: Situation, *, total_s: float) -> Ending:
    """A task that had all the time there is can never finish here; the others get another invocation."""
    limit = f"the function's {total_s:,.0f} seconds"
    if not at.is_planned:
        return Ending(_failed("OutOfTime", f"Importing and tracing the flow took more than {limit}"))
    problem = Problem(
        "OutOfTime",
        f"The task had {limit} and did not finish. Split it into smaller tasks, or give its deployment a larger size "
        "if it needs more CPU; one task cannot take longer than that.",
    )
    failed = tuple((task, problem) for task in at.running if task.had_whole_time)
    put_back = tuple(task for task in at.running if not task.had_whole_time)
    if failed and at.run.fail_fast:
        return Ending(_task_failed(failed[0][0], problem), failed, put_back)
    if not failed and not at.has_progress:
        return Ending(_no_progress(total_s), (), put_back)
    return Ending(HandOver(0.0, at.flow_attempt), failed, put_back)


def after_death(at: Situation, exit: Exit, *, memory_mib: int) -> Ending:
    """The child died without a last word: killed, or ended by the flow's own code."""
    problem = Problem("ProcessDied", f"The task's process {_death(exit, at.run, memory_mib=memory_mib)}")
    failed = tuple((task, problem) for task in at.running)
    if failed:
        return Ending(_task_failed(failed[0][0], problem), failed)
    where = "between two tasks" if at.is_planned else "while the flow was being imported and traced"
    return Ending(_failed("ProcessDied", f"The flow's process {_death(exit, at.run, memory_mib=memory_mib)} ({where})"))


def after_nonsense(at: Situation, reason: str) -> Ending:
    """The child sent what is no message: user code wrote into a descriptor that is not its own."""
    problem = Problem("ProcessBroken", f"The flow's process broke the connection to the function around it: {reason}")
    return Ending(End(Status.FAILED, problem), tuple((task, problem) for task in at.running))


def _death(exit: Exit, run: Run, *, memory_mib: int) -> str:
    peak = f"peak {exit.peak_mib:,.0f} of {memory_mib:,} MiB"
    if exit.signal_name is None:
        return f"ended itself with exit code {exit.code} (os._exit, or a crash of native code; {peak})"
    if exit.signal_name == "SIGKILL" and exit.peak_mib >= memory_mib * _OUT_OF_MEMORY_SHARE:
        return f"was killed (SIGKILL), most likely out of memory: {peak}; give it a larger size than {run.size}"
    return f"was killed ({exit.signal_name}; {peak})"


def _no_progress(total_s: float) -> End:
    return _failed("OutOfTime", f"The flow did nothing that could be kept in the function's {total_s:,.0f} seconds")


def _failed(error_type: str, message: str) -> End:
    return End(Status.FAILED, Problem(error_type, message))


def _task_failed(task: RunningTask, problem: Problem) -> End:
    return _failed(problem.error_type, f"Task run {task.id}: {problem.message}")
