"""Writing down what a run's child process says: tasks and results into the store, lines into the log, events.

Each fact is written before it is acknowledged to the child, so nothing starts on the strength of something that could
still be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.execution.recorder import Failure, Measured
from dagy_runtime.engine.endings import RunningTask, Situation
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.exchange import Exchange
from dagy_runtime.engine.isolated.executors import executor_of, misfit
from dagy_runtime.engine.keeping import keep
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.resume import attempt_id, past_of, plan_conflict
from dagy_runtime.engine.stored_tasks import tasks_of
from dagy_runtime.engine.tenure import Tenure
from dagy_runtime.ports import Ports, TaskOutcome
from dagy_runtime.values import Problem, ResultRef, Run, TaskRun
from dagy_runtime.worker.frames import (
    Accepted,
    Ended,
    FlowCancelled,
    FlowFailed,
    FlowHandedBack,
    FlowSucceeded,
    Logged,
    Payload,
    Planned,
    Refused,
    ResultWanted,
    TaskCancelled,
    TaskFailed,
    TaskRetrying,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    ToChild,
)
from dagy_runtime.worker.payloads import Nonsense
from dagy_runtime.worker.process import Broken, Heard

_UNMEASURED: Final = Measured(0.0, 0.0, 0.0)
_MOST_TOLD: Final = 100


@dataclass
class Journal:
    """One invocation's record of one run.

    Every method that writes raises LeaseLost when the store shows that another invocation has taken over, and
    Unavailable when that cannot be known. What the child says is not trusted: when it cannot be, `broken` says why, and
    nothing that follows is heard.
    """

    ports: Ports
    run: Run
    tenure: Tenure
    logs: LogWriter
    events: EventLog
    exchange: Exchange
    stored: Mapping[str, TaskRun]  # tasks as they stood when the run was claimed
    ended: Ended | None = None
    broken: str | None = None
    _planned: frozenset[str] | None = None
    _has_progress: bool = False
    _running: dict[str, RunningTask] = field(default_factory=dict)

    def take(self, heard: Heard) -> ToChild | None:
        """Write it down; the answer, if it wants one."""
        if self.broken is not None or (self.ended is not None and not isinstance(heard, Logged)):
            return None
        try:
            return self._take(heard)
        except Nonsense as nonsense:
            self.broken = str(nonsense)
            return None

    def _take(self, heard: Heard) -> ToChild | None:
        match heard:
            case Logged(task_run_id=task_run_id, stream=stream, line=line):
                self.logs.add(task_run_id, stream, line)
            case Planned():
                return self._plan(heard)
            case TaskStarted(task_run_id=task_run_id, attempt=attempt):
                self._start(task_run_id, attempt)
            case TaskSucceeded():
                return self._succeed(heard)
            case TaskRetrying(task_run_id=task_run_id, attempt=attempt, failure=failure, delay_s=delay_s):
                id = self._end_attempt(task_run_id, attempt, Status.PENDING, problem=problem_of(failure))
                told = {"error": failure.message, "delay_s": delay_s}
                self._event("task_retrying", task_run_id, attempt, attempt_id=id, **told)
            case TaskFailed(task_run_id=task_run_id, attempt=attempt, failure=failure, measured=measured):
                problem = problem_of(failure)
                id = self._end_attempt(task_run_id, attempt, Status.FAILED, problem=problem, measured=measured)
                self._event("task_failed", task_run_id, attempt, attempt_id=id, error=failure.message)
            case TaskSkipped(task_run_id=task_run_id, reason=reason):
                self._settle(task_run_id, Status.SKIPPED, reason)
            case TaskCancelled(task_run_id=task_run_id, reason=reason):
                self._settle(task_run_id, Status.CANCELLED, reason)
            case ResultWanted(number=number, task_run_id=task_run_id):
                return self.exchange.give(number, task_run_id)
            case FlowSucceeded() | FlowFailed() | FlowCancelled() | FlowHandedBack():
                self.ended = heard
            case Broken(reason=reason):
                self.broken = reason
        return None

    def situation(self) -> Situation:
        return Situation(
            self.run,
            self._planned is not None,
            self._has_progress,
            tuple(self._running.values()),
            self.tenure.flow_attempt,
        )

    def known_problem(self, task_run_id: str | None) -> Problem | None:
        """Why a task failed that had failed before this invocation: the flow's child was not told."""
        task = self.stored.get(task_run_id or "")
        return task.problem if task is not None and task.status is Status.FAILED else None

    def store_output(self, payload: Payload) -> ResultRef:
        """The flow's own result. Raises: Nonsense."""
        return self.exchange.store("_flow", self.ports.ids.unique(), payload)

    def fail_task(self, task: RunningTask, problem: Problem) -> None:
        self._end_attempt(task.id, task.attempt, Status.FAILED, problem=problem)
        self._event("task_failed", task.id, task.attempt, attempt_id=task.attempt_id, error=problem.message)

    def put_back(self, task: RunningTask) -> None:
        """To be started again with the same number: being interrupted is not an attempt."""
        self._end_attempt(task.id, task.attempt, Status.PENDING, used=task.attempt - 1)
        self._event("task_handed_back", task.id, task.attempt, attempt_id=task.attempt_id)

    def _plan(self, frame: Planned) -> ToChild:
        conflict = plan_conflict(self.stored, frame.tasks)
        if conflict is not None:
            return Refused(
                frame.number,
                f"The flow's body gave another plan than when the run began: {conflict}. A run that goes on in a new "
                "invocation traces its flow again, so the body must depend on its parameters only.",
            )
        if (reason := misfit(frame.tasks, self.run, has_containers=self.ports.containers is not None)) is not None:
            return Refused(frame.number, reason)
        new = [
            TaskRun(
                run_id=self.run.id,
                id=task.id,
                task_name=task.task_name,
                status=Status.PENDING,
                position=position,
                depends_on=task.depends_on,
                concurrency_limit=task.concurrency_limit,
                code=task.code,
                arguments=task.arguments,
                executor=executor_of(task, self.run),
            )
            for position, task in enumerate(frame.tasks)
            if task.id not in self.stored
        ]
        if new:
            self.tenure.confirm()
            self.ports.runs.put_tasks(self.run.id, self._with_kept(new))
            self._event("tasks_planned", count=len(frame.tasks))
        self._planned = frozenset(task.id for task in frame.tasks)
        return Accepted(frame.number)

    def _with_kept(self, new: Sequence[TaskRun]) -> Sequence[TaskRun]:
        """As they are put: what the run that this one retries has done, is done."""
        before = self.ports.runs.get_run(self.run.retry_of) if self.run.retry_of else None
        if before is None:
            return new
        kept = keep(self.run, new, before, {task.id: task for task in tasks_of(self.ports, before.id)})
        again = dict(islice(kept.again.items(), _MOST_TOLD))
        self._event("results_kept", of=before.id, kept=len(new) - len(kept.again), run_again=len(kept.again), why=again)
        for line in (f"{id} runs: {reason}" for id, reason in again.items()):
            self.logs.note(None, line)
        return kept.tasks

    def _start(self, task_run_id: str, attempt: int) -> None:
        self._check_planned(task_run_id)
        past = past_of(self.stored.get(task_run_id), flow_attempt=self.tenure.flow_attempt)
        task = RunningTask(
            task_run_id,
            attempt,
            attempt_id(self.ports.ids.unique(), past),
            had_whole_time=not self._has_progress,
        )
        self.tenure.confirm()
        is_ours = self.ports.runs.start_task(
            self.run.id,
            task_run_id,
            attempt=attempt,
            attempt_id=task.attempt_id,
            started_at=to_iso(self.ports.clock.now()),
        )
        if not is_ours:
            self.tenure.prove()
            raise Nonsense(f"it started {task_run_id}, attempt {attempt}, which cannot start any more")
        self._running[task_run_id] = task
        before = self.stored.get(task_run_id)
        if before is not None and before.status is Status.RUNNING and before.attempt_id != task.attempt_id:
            self._event("task_lost", task_run_id, before.attempt, attempt_id=before.attempt_id)
        self._event("task_started", task_run_id, attempt, attempt_id=task.attempt_id)

    def _succeed(self, frame: TaskSucceeded) -> ToChild:
        task = self._running.get(frame.task_run_id)
        if task is None:
            raise Nonsense(f"it gave a result of {frame.task_run_id!r:.200}, which does not run")
        self.tenure.confirm()
        result = self.exchange.store(task.id, task.attempt_id, frame.result)
        self._end_attempt(task.id, frame.attempt, Status.SUCCEEDED, result=result, measured=frame.measured)
        told = {"attempt_id": task.attempt_id, "duration_s": frame.measured.duration_s}
        self._event("task_succeeded", task.id, frame.attempt, **told)
        return Accepted(frame.number)

    def _end_attempt(
        self,
        task_run_id: str,
        attempt: int,
        status: Status,
        *,
        used: int | None = None,
        result: ResultRef | None = None,
        problem: Problem | None = None,
        measured: Measured = _UNMEASURED,
    ) -> str:
        """The id of the attempt that this ends. The outcome that stands afterwards must be this one, or one of a repeat
        of it: anything else was written by somebody who has the run now.
        """
        self._check_planned(task_run_id)
        if task_run_id not in self._running:  # it failed before its code began
            self._start(task_run_id, attempt)
        task = self._running.pop(task_run_id)
        outcome = TaskOutcome(
            status,
            attempt if used is None else used,
            to_iso(self.ports.clock.now()),
            result=result,
            problem=problem,
            duration_s=measured.duration_s or None,
            cpu_s=measured.cpu_s or None,
            peak_mib=measured.peak_mib or None,
        )
        self.tenure.confirm()
        stands = self.ports.runs.finish_task(self.run.id, task_run_id, attempt_id=task.attempt_id, outcome=outcome)
        if (stands.status, stands.attempt_id) != (status, task.attempt_id):
            self.tenure.prove()
            raise Nonsense(f"it ended {task_run_id}, attempt {attempt}, which stands as {stands.status}")
        self._has_progress = True
        return task.attempt_id

    def _settle(self, task_run_id: str, status: Status, reason: str) -> None:
        self._check_planned(task_run_id)
        self.tenure.confirm()
        now = to_iso(self.ports.clock.now())
        self.ports.runs.settle_tasks(self.run.id, [task_run_id], status=status, reason=reason, ended_at=now)
        self._running.pop(task_run_id, None)
        self._event(f"task_{status.value.lower()}", task_run_id, reason=reason)

    def _check_planned(self, task_run_id: str) -> None:
        if task_run_id not in (self._planned or ()):
            raise Nonsense(f"it told of a task run that is not in its plan, {task_run_id!r:.200}")

    def _event(self, type: str, task_run_id: str | None = None, attempt: int | None = None, **data: Any) -> None:
        self.events.add(type, task_run_id=task_run_id, attempt=attempt, data=data)


def problem_of(failure: Failure) -> Problem:
    return Problem(failure.error_type, failure.message, failure.traceback)
