"""One invocation's work on one run: take it, execute its flow in a child process, write down what happens, and end it
or hand it over.

A repeat of a message finds a run that is final, or leased to the invocation that the first one started, and does
nothing; or it finds one whose invocation died, and goes on where that stopped. The message is acknowledged by
returning, when everything is written.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Union

from dagy.core.errors import DagyError
from dagy.core.sizes import SHAPES
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.execution.recorder import RunOptions
from dagy_runtime.engine.artifacts import Unusable, unpack_artifact
from dagy_runtime.engine.endings import (
    End,
    Ending,
    HandOver,
    after_death,
    after_handing_back,
    after_nonsense,
    after_time_ran_out,
)
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.journal import Journal, problem_of
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.parking import park
from dagy_runtime.engine.resume import deaths_of, finished_of
from dagy_runtime.engine.supervision import (
    BrokeOff,
    CancelSeen,
    Died,
    Said,
    TimeRanOut,
    Verdict,
    watch,
)
from dagy_runtime.engine.tenure import LeaseLost, Tenure
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Lost, Ports, TaskOutcome
from dagy_runtime.values import Problem, ResultRef, Run, TaskRun
from dagy_runtime.worker.child import Job
from dagy_runtime.worker.frames import Ended, FlowCancelled, FlowFailed, FlowHandedBack, FlowSucceeded
from dagy_runtime.worker.process import ChildProcess
from dagy_runtime.worker.workdir import WorkDir, fresh_work_dir

_LOG: Final = logging.getLogger("dagy.engine.advance")
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing was done. `reason`: `run_unknown`, `run_final` or `run_leased`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    status: Status


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The run goes on in invocation number `hop`, after `wait_s` seconds."""

    hop: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The run became somebody else's while we worked on it. The child was killed, and nothing more written."""


Advanced = Union[Ignored, Finished, HandedOver, Abandoned]

_REAL_PACING: Final = Pacing()


def advance(
    ports: Ports,
    message: AdvanceRun,
    *,
    time_left: Callable[[], float],
    request_id: str = "",
    pacing: Pacing = _REAL_PACING,
    console: Callable[[str], object] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Advanced:
    """Take the run as far as the function's time allows.

    `time_left` gives the seconds until AWS ends this invocation. `request_id` marks the lease, so that the dead
    letter of this message can tell its own lease from another's. `console` gets every log line as JSON.

    Raises: Unavailable, or anything unforeseen. The child is dead then and the lease given back, so that the repeat
    of the message goes on at once.
    """
    total_s = time_left()
    claimed_at = monotonic()
    owner = f"{request_id}/{ports.ids.unique()}"
    claim = ports.runs.claim_run(
        message.run_id, owner=owner, now=ports.clock.now(), lease_s=pacing.lease_s, hop=message.hop
    )
    if isinstance(claim, Lost):
        return _ignored(message, claim)
    tenure = Tenure(
        ports.runs,
        ports.clock,
        claim.lease,
        claimed_at=claimed_at,
        lease_s=pacing.lease_s,
        check_s=pacing.check_s,
        monotonic=monotonic,
    )
    logs = LogWriter(
        ports.blobs,
        ports.clock,
        run_id=message.run_id,
        hop=message.hop,
        invocation=owner.rpartition("/")[2],
        console=console or _to_stdout,
    )
    invocation = _Invocation(ports, claim.run, message, tenure, logs, EventLog(ports, message.run_id), pacing)
    try:
        return invocation.carry_out(time_left=time_left, total_s=total_s, monotonic=monotonic)
    except LeaseLost:
        _LOG.warning("lease_lost run_id=%s owner=%s", message.run_id, owner)
        return Abandoned()
    except BaseException:
        with suppress(DagyError):
            ports.runs.release_lease(message.run_id, owner=owner)
        raise


@dataclass(frozen=True, slots=True)
class _Invocation:
    ports: Ports
    run: Run
    message: AdvanceRun
    tenure: Tenure
    logs: LogWriter
    events: EventLog
    pacing: Pacing

    def carry_out(
        self, *, time_left: Callable[[], float], total_s: float, monotonic: Callable[[], float]
    ) -> Finished | HandedOver:
        if self.tenure.is_cancel_requested:
            return self._finish(End(Status.CANCELLED))
        if self.message.hop >= self.pacing.max_hops:
            return self._finish(End(Status.FAILED, _too_many_hops(self.pacing.max_hops)))
        stored = self._give_up_deadly(self._stored_tasks())
        is_first = self.message.hop == 0 and not stored
        self.events.add("run_started" if is_first else "run_resumed", data={"hop": self.message.hop})
        with fresh_work_dir() as dirs:
            metadata = unpack_artifact(self.ports.blobs, self.run.artifact, into=dirs.code)
            if isinstance(metadata, Unusable):
                self.logs.add(None, "ERROR", metadata.problem.message)
                return self._finish(End(Status.FAILED, metadata.problem))
            job = Job(
                run_id=self.run.id,
                code_dir=dirs.code,
                work_dir=dirs.scratch,
                temp_dir=dirs.temp,
                handover_dir=dirs.handover,
                metadata=metadata,
                parameters=self.run.parameters,
                options=RunOptions(
                    fail_fast=self.run.fail_fast,
                    max_workers=self.run.max_workers,
                    longest_wait_s=self.pacing.longest_wait_s,
                ),
                finished=finished_of(list(stored.values()), flow_attempt=self.message.flow_attempt),
            )
            journal = self._journal(stored, dirs)
            with ChildProcess.start(job) as child:
                verdict = watch(
                    child, journal, time_left=time_left, total_s=total_s, pacing=self.pacing, monotonic=monotonic
                )
            return self._conclude(verdict, journal, total_s=total_s)

    def _journal(self, stored: dict[str, TaskRun], dirs: WorkDir) -> Journal:
        return Journal(
            ports=self.ports,
            run=self.run,
            tenure=self.tenure,
            logs=self.logs,
            events=self.events,
            handover_dir=dirs.handover,
            stored=stored,
            flow_attempt=self.message.flow_attempt,
        )

    def _conclude(self, verdict: Verdict, journal: Journal, *, total_s: float) -> Finished | HandedOver:
        match verdict:
            case Said(ended=ended):
                return self._conclude_said(ended, journal, total_s=total_s)
            case CancelSeen():
                return self._finish(End(Status.CANCELLED))
            case TimeRanOut():
                ending = after_time_ran_out(journal.situation(), total_s=total_s)
            case Died(exit=exit):
                memory_mib = SHAPES[self.run.size].lambda_memory_mib
                ending = after_death(journal.situation(), exit, memory_mib=memory_mib)
            case BrokeOff(reason=reason):
                ending = after_nonsense(journal.situation(), reason)
        return self._carry_out_ending(ending, journal)

    def _conclude_said(self, ended: Ended, journal: Journal, *, total_s: float) -> Finished | HandedOver:
        match ended:
            case FlowSucceeded(output=output):
                result = journal.store_output(output) if output is not None else None
                return self._finish(End(Status.SUCCEEDED), result=result)
            case FlowFailed(failure=failure):
                return self._finish(End(Status.FAILED, problem_of(failure)))
            case FlowCancelled():
                return self._finish(End(Status.CANCELLED))
            case FlowHandedBack(resume_in_s=resume_in_s, flow_attempt=flow_attempt):
                ending = after_handing_back(journal.situation(), HandOver(resume_in_s, flow_attempt), total_s=total_s)
                return self._carry_out_ending(ending, journal)

    def _carry_out_ending(self, ending: Ending, journal: Journal) -> Finished | HandedOver:
        for task, problem in ending.failed:
            self.logs.add(task.id, "ERROR", problem.message)
            journal.fail_task(task, problem)
        for task in ending.put_back:
            journal.put_back(task)
        if isinstance(ending.next, HandOver):
            return self._hand_over(ending.next)
        if ending.next.problem is not None and not ending.failed:
            self.logs.add(None, "ERROR", ending.next.problem.message)
        return self._finish(ending.next)

    def _finish(self, end: End, *, result: ResultRef | None = None) -> Finished:
        """Log and events first: who sees the run final, finds its log whole."""
        self.logs.close()
        self.events.flush()
        now = to_iso(self.ports.clock.now())
        stands = self.ports.runs.finish_run(
            self.run.id, owner=self.tenure.owner, status=end.status, ended_at=now, problem=end.problem, result=result
        )
        if stands is None:
            raise LeaseLost(self.run.id)
        data = {"reason": end.problem.message} if end.problem else {}
        self.events.add(f"run_{end.status.value.lower()}", data=data)
        self.events.flush()
        return Finished(end.status)

    def _hand_over(self, over: HandOver) -> HandedOver:
        """Release first, then send: in between, a crash leaves a run that the reconciler finds."""
        is_parked = over.wait_s > self.pacing.longest_wait_s
        wait_s = over.wait_s if is_parked else 0.0
        following = AdvanceRun(self.run.id, hop=self.message.hop + 1, flow_attempt=over.flow_attempt)
        self.events.add("run_handed_back", data={"hop": following.hop, "wait_s": wait_s})
        self.logs.close()
        self.events.flush()
        if not is_parked:
            self.ports.runs.release_lease(self.run.id, owner=self.tenure.owner)
            self.ports.dispatcher.to_runtime(self.run.size, following)
        elif not park(self.ports, self.run, owner=self.tenure.owner, message=following, wait_s=wait_s):
            raise LeaseLost(self.run.id)
        return HandedOver(following.hop, wait_s)

    def _stored_tasks(self) -> dict[str, TaskRun]:
        tasks: dict[str, TaskRun] = {}
        cursor: str | None = None
        while True:
            page = self.ports.runs.list_tasks(self.run.id, limit=_PAGE, cursor=cursor)
            tasks.update((task.id, task) for task in page.items)
            cursor = page.cursor
            if cursor is None:
                return tasks

    def _give_up_deadly(self, stored: dict[str, TaskRun]) -> dict[str, TaskRun]:
        """Fail the tasks during which the whole function has died too often."""
        for task in list(stored.values()):
            if task.status is not Status.RUNNING or deaths_of(task) <= self.pacing.max_deaths:
                continue
            message = (
                f"The function died {deaths_of(task)} times while this task ran, most likely out of memory; give it a "
                f"larger size than {self.run.size}"
            )
            outcome = TaskOutcome(
                Status.FAILED,
                task.attempt,
                to_iso(self.ports.clock.now()),
                problem=Problem("FunctionDied", message),
            )
            self.logs.add(task.id, "ERROR", message)
            self.events.add("task_failed", task_run_id=task.id, attempt=task.attempt, data={"error": message})
            stored[task.id] = self.ports.runs.finish_task(
                self.run.id, task.id, attempt_id=task.attempt_id or "", outcome=outcome
            )
        return stored


def _ignored(message: AdvanceRun, claim: Lost) -> Ignored:
    reason = "run_unknown"
    if claim.run is not None:
        reason = "run_final" if claim.run.status.is_final else "run_leased"
    _LOG.warning("message_ignored run_id=%s hop=%d reason=%s", message.run_id, message.hop, reason)
    return Ignored(reason)


def _too_many_hops(max_hops: int) -> Problem:
    return Problem(
        "TooManyInvocations",
        f"The run used {max_hops} invocations, the most that one run may. Split the flow, or give it a larger size.",
    )


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
