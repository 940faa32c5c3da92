"""Writing down what the child process of one isolated task says: one attempt, and one outcome of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dagy.core.sizes import SHAPES, Executor
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.execution.recorder import Measured
from dagy_runtime.engine.endings import RunningTask, Situation, after_death, after_nonsense, after_time_ran_out
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.exchange import Exchange
from dagy_runtime.engine.journal import problem_of
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.supervision import BrokeOff, Died, Said, TimeRanOut, Verdict
from dagy_runtime.engine.tenure import LeaseLost, Tenure
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
    Planned,
    Refused,
    ResultWanted,
    TaskFailed,
    TaskRetrying,
    TaskStarted,
    TaskSucceeded,
    ToChild,
)
from dagy_runtime.worker.payloads import Nonsense
from dagy_runtime.worker.process import Broken, Heard

_UNMEASURED = Measured(0.0, 0.0, 0.0)


@dataclass
class TaskJournal:
    """One claim of one task. The first outcome told is its outcome; another one is nonsense.

    Raises LeaseLost from every method that writes, when the store has given the task to another attempt.
    """

    ports: Ports
    run: Run
    claimed: TaskRun
    tenure: Tenure
    logs: LogWriter
    events: EventLog
    exchange: Exchange | None
    ended: Ended | None = None
    broken: str | None = None
    outcome: TaskRun | None = None  # the task as this claim left it
    _attempt: int | None = None  # the last one that began: short delays are waited for in here
    _retry: Problem | None = None  # why it failed, when another is to follow

    def take(self, heard: Heard) -> ToChild | None:
        """Write it down; the answer, if it wants one."""
        if self.broken is not None or (self.ended is not None and not isinstance(heard, Logged)):
            return None
        try:
            return self._take(heard)
        except Nonsense as nonsense:
            self.broken = str(nonsense)
            return None

    def concluded(self, verdict: Verdict, *, total_s: float) -> TaskRun:
        """The task as it stands, now that the child is gone."""
        if self.outcome is not None:
            return self.outcome
        match verdict:
            case Said(ended=FlowHandedBack(resume_in_s=wait_s, flow_attempt=flow_attempt)):
                return self._put_back(wait_s, flow_attempt)
            case Said(ended=FlowFailed(failure=failure)):
                return self.fail(problem_of(failure))
            case TimeRanOut():
                return self.fail(after_time_ran_out(self._situation(), total_s=total_s).failed[0][1])
            case Died(exit=exit):
                return self.fail(after_death(self._situation(), exit, memory_mib=self._memory_mib).failed[0][1])
            case BrokeOff(reason=reason):
                return self.fail(after_nonsense(self._situation(), reason).failed[0][1])
        return self.fail(Problem("ProcessBroken", "The task's process ended without saying how the task did"))

    def fail(self, problem: Problem) -> TaskRun:
        self.logs.note(self.claimed.id, problem.message)
        return self._end(Status.FAILED, problem=problem)

    def _take(self, heard: Heard) -> ToChild | None:
        match heard:
            case Logged(task_run_id=task_run_id, stream=stream, line=line):
                self.logs.add(task_run_id, stream, line)
            case Planned():
                return self._checked(heard)
            case TaskStarted():
                self._own(heard.task_run_id)
                self._attempt, self._retry = heard.attempt, None
                self._event("task_started", claimed_at=self.claimed.started_at)
            case TaskSucceeded():
                self._own(heard.task_run_id)
                if self.exchange is None:
                    raise Nonsense("it gave a result without having been started")
                self.tenure.confirm()
                result = self.exchange.store(self.claimed.id, self.claimed.attempt_id or "", heard.result)
                self._end(Status.SUCCEEDED, result=result, measured=heard.measured)
                return Accepted(heard.number)
            case TaskRetrying():
                self._own(heard.task_run_id)
                self._retry = problem_of(heard.failure)
                self._event("task_retrying", error=heard.failure.message, delay_s=heard.delay_s)
            case TaskFailed():
                self._own(heard.task_run_id)
                self._end(Status.FAILED, problem=problem_of(heard.failure), measured=heard.measured)
            case ResultWanted(number=number, task_run_id=task_run_id) if self.exchange is not None:
                return self.exchange.give(number, task_run_id)
            case FlowSucceeded() | FlowFailed() | FlowCancelled() | FlowHandedBack():
                self.ended = heard
            case Broken(reason=reason):
                self.broken = reason
        return None

    def _checked(self, frame: Planned) -> ToChild:
        """The flow's body ran again for this task; it must give the task that was planned."""
        planned = [(task.id, task.task_name, task.depends_on) for task in frame.tasks]
        if planned != [(self.claimed.id, self.claimed.task_name, self.claimed.depends_on)]:
            return Refused(
                frame.number,
                f"The flow's body gave no task run '{self.claimed.id}' as it was planned. Its tasks run in processes "
                "of their own, each of which traces the flow again, so the body must depend on its parameters only.",
            )
        return Accepted(frame.number)

    def _put_back(self, wait_s: float, flow_attempt: int) -> TaskRun:
        """Without having failed it was only interrupted, which is no attempt."""
        return self._end(
            Status.PENDING,
            used=self._number if self._retry else self._number - 1,
            problem=self._retry,
            not_before=self.ports.clock.now() + wait_s,
            flow_attempt=flow_attempt,
        )

    def _end(
        self,
        status: Status,
        *,
        used: int | None = None,
        result: ResultRef | None = None,
        problem: Problem | None = None,
        measured: Measured = _UNMEASURED,
        not_before: float | None = None,
        flow_attempt: int | None = None,
    ) -> TaskRun:
        if self.outcome is not None:
            raise Nonsense(f"it told of another end of {self.claimed.id}")
        self.tenure.confirm()
        own_id = self.claimed.attempt_id or ""
        outcome = TaskOutcome(
            status,
            self._number if used is None else used,
            to_iso(self.ports.clock.now()),
            result=result,
            problem=problem,
            duration_s=measured.duration_s or None,
            cpu_s=measured.cpu_s or None,
            peak_mib=measured.peak_mib or None,
            not_before=not_before,
            flow_attempt=flow_attempt or self.claimed.flow_attempt,
        )
        stands = self.ports.runs.finish_task(self.run.id, self.claimed.id, attempt_id=own_id, outcome=outcome)
        if (stands.status, stands.attempt_id) != (status, own_id):
            raise LeaseLost(self.run.id)
        self.outcome = stands
        self.tenure.end()
        if status is not Status.PENDING:
            how = {"error": problem.message} if problem else {"duration_s": measured.duration_s}
            self.events.add_last(
                f"task_{status.value.lower()}",
                task_run_id=self.claimed.id,
                attempt=self._number,
                data={"attempt_id": own_id, **how},
            )
        return stands

    @property
    def _memory_mib(self) -> int:
        shape = SHAPES[self.run.size]
        return shape.fargate_memory_mib if self.claimed.executor is Executor.ECS else shape.lambda_memory_mib

    @property
    def _number(self) -> int:
        return self._attempt or self.claimed.attempt

    def _event(self, type: str, **data: Any) -> None:
        data = {"attempt_id": self.claimed.attempt_id, **data}
        self.events.add(type, task_run_id=self.claimed.id, attempt=self._number, data=data)

    def _own(self, task_run_id: str) -> None:
        if task_run_id != self.claimed.id:
            raise Nonsense(f"it told of a task run that is not its own, {task_run_id!r:.200}")

    def _situation(self) -> Situation:
        task = RunningTask(self.claimed.id, self.claimed.attempt, self.claimed.attempt_id or "", had_whole_time=True)
        return Situation(self.run, True, False, (task,), self.claimed.flow_attempt)
