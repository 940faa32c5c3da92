"""What one invocation does with a run it holds: get its code, let a child process execute it, and carry out how that
ended: the run's end, or its handing over to the next invocation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from dagy.core.errors import Unavailable
from dagy.core.sizes import SHAPES, Isolation
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.execution.recorder import RunOptions
from dagy_runtime.engine.artifacts import Unusable
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
from dagy_runtime.engine.exchange import Exchange
from dagy_runtime.engine.isolated.overview import Found, look_after, look_once_more
from dagy_runtime.engine.isolated.release import begin
from dagy_runtime.engine.journal import Journal, problem_of
from dagy_runtime.engine.logs import LogWriter
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.parking import park
from dagy_runtime.engine.resume import deaths_of, finished_of
from dagy_runtime.engine.run_ends import add_cancelled, add_end
from dagy_runtime.engine.run_limits import leave
from dagy_runtime.engine.stored_tasks import tasks_of
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
from dagy_runtime.engine.workshop import Bench, Orders, Workshop
from dagy_runtime.messages import AdvanceRun
from dagy_runtime.ports import Ports, TaskOutcome
from dagy_runtime.values import Problem, ResultRef, Run, TaskRun
from dagy_runtime.worker.frames import Ended, FlowCancelled, FlowFailed, FlowHandedBack, FlowSucceeded
from dagy_runtime.worker.payloads import Nonsense


class Finished(Struct, frozen=True):
    status: Status


class HandedOver(Struct, frozen=True):
    """The run goes on in invocation number `hop`, after `wait_s` seconds."""

    hop: int
    wait_s: float


class LookedAfter(Struct, frozen=True):
    """The run's tasks run in invocations of their own; `rescued` of them had been lost."""

    rescued: tuple[str, ...] = ()


class Invocation(Struct, frozen=True):
    """All of it raises LeaseLost when the run has become somebody else's, and whatever the ports raise."""

    ports: Ports
    run: Run  # as it was claimed
    tenure: Tenure
    logs: LogWriter
    events: EventLog
    pacing: Pacing
    workshop: Workshop

    @property
    def hop(self) -> int:
        """The number of this invocation in its run, from 0."""
        return self.run.hops - 1

    def carry_out(
        self, *, time_left: Callable[[], float], total_s: float, monotonic: Callable[[], float]
    ) -> Finished | HandedOver | LookedAfter:
        if self.tenure.is_cancel_requested:
            return self._finish(End(Status.CANCELLED))
        if self._is_isolated and self.run.is_planned:
            stored = self._stored_tasks()
            if any(task.status is Status.CANCELLED for task in stored.values()):
                self.tenure.prove()  # it may have been cancelled since it was claimed, and they with it
            found = look_after(self.ports, self.run, stored)
            if not found.is_over:
                looked_after = self._looked_after(found)
                look_once_more(self.ports, self.run, self._stored_tasks())
                return looked_after
        elif self.hop >= self.pacing.max_hops:
            return self._finish(End(Status.FAILED, _too_many_hops(self.pacing.max_hops)))
        else:
            stored = self._give_up_deadly(self._stored_tasks())
        is_first = self.hop == 0 and not stored
        self.events.add("run_started" if is_first else "run_resumed", data={"hop": self.hop})
        with self.workshop.opened(self.run, keep=self.tenure.keep, pulse=self.tenure.pulse) as bench:
            if isinstance(bench, Unusable):
                self.logs.note(None, bench.problem.message)
                return self._finish(End(Status.FAILED, bench.problem))
            if bench.fetched:
                self.events.add("packages_fetched", data={"slugs": list(bench.fetched)})
            orders = Orders(
                options=RunOptions(
                    fail_fast=self.run.fail_fast,
                    max_workers=self.run.max_workers,
                    longest_wait_s=self.pacing.longest_wait_s,
                    hands_back_flow_retries=True,  # its number is stored with the run before it begins
                ),
                finished=finished_of(list(stored.values()), flow_attempt=self.tenure.flow_attempt),
                is_plan_only=self._begins_with_its_plan,
            )
            journal = self._journal(stored, bench)
            with bench.start(orders) as child:
                verdict = watch(
                    child, journal, time_left=time_left, total_s=total_s, pacing=self.pacing, monotonic=monotonic
                )
            return self._conclude(verdict, journal, total_s=total_s)

    def _journal(self, stored: dict[str, TaskRun], bench: Bench) -> Journal:
        return Journal(
            ports=self.ports,
            run=self.run,
            tenure=self.tenure,
            logs=self.logs,
            events=self.events,
            exchange=Exchange(self.ports, self.run.id, bench.handover, self.tenure.pulse, stored=stored),
            stored=stored,
        )

    @property
    def _is_isolated(self) -> bool:
        return self.run.isolation is Isolation.TASK_ISOLATED

    @property
    def _begins_with_its_plan(self) -> bool:
        """Not with tasks: each of them will have an invocation of its own, or some are taken over from another run."""
        return (self._is_isolated or self.run.retry_of is not None) and not self.run.is_planned

    def _begin(self) -> LookedAfter | HandedOver:
        """Its plan is stored. If its tasks are isolated, they carry the run from here on; nobody holds it."""
        self.tenure.prove()
        self.ports.runs.set_planned(self.run.id)
        if not self._is_isolated:
            return self._hand_over(HandOver(0.0, self.tenure.flow_attempt))
        looked_after = self._looked_after(Found(False))
        begin(self.ports, self.run, self._stored_tasks() if self.run.retry_of else {})  # last: see `_looked_after`
        return looked_after

    def _looked_after(self, found: Found) -> LookedAfter:
        """Gives the run back. A task that ends while it is held may be the last, and have nobody look at the run."""
        if found.rescued:
            self.events.add("tasks_rescued", data={"count": len(found.rescued)})
        self.logs.close()
        self.events.flush()
        self.ports.runs.release_lease(self.run.id, owner=self.tenure.owner)
        return LookedAfter(found.rescued)

    def _conclude(self, verdict: Verdict, journal: Journal, *, total_s: float) -> Finished | HandedOver | LookedAfter:
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

    def _conclude_said(self, ended: Ended, journal: Journal, *, total_s: float) -> Finished | HandedOver | LookedAfter:
        match ended:
            case FlowSucceeded(output=output):
                try:
                    result = journal.store_output(output) if output is not None else None
                except Nonsense as nonsense:
                    return self._carry_out_ending(after_nonsense(journal.situation(), str(nonsense)), journal)
                return self._finish(End(Status.SUCCEEDED), result=result, has_told=True)
            case FlowFailed(failure=failure, task_run_id=task_run_id):
                problem = journal.known_problem(task_run_id) or problem_of(failure)
                return self._finish(End(Status.FAILED, problem), has_told=True)
            case FlowCancelled():
                return self._finish(End(Status.CANCELLED), has_told=True)
            case FlowHandedBack() if self._begins_with_its_plan:
                return self._begin()
            case FlowHandedBack(resume_in_s=resume_in_s, flow_attempt=flow_attempt):
                ending = after_handing_back(journal.situation(), HandOver(resume_in_s, flow_attempt), total_s=total_s)
                return self._carry_out_ending(ending, journal)

    def _carry_out_ending(self, ending: Ending, journal: Journal) -> Finished | HandedOver:
        for task, problem in ending.failed:
            self.logs.note(task.id, problem.message)
            journal.fail_task(task, problem)
        for task in ending.put_back:
            journal.put_back(task)
        if isinstance(ending.next, HandOver):
            return self._hand_over(ending.next)
        if ending.next.problem is not None and not ending.failed:
            self.logs.note(None, ending.next.problem.message)
        return self._finish(ending.next)

    def _finish(self, end: End, *, result: ResultRef | None = None, has_told: bool = False) -> Finished:
        """Log and events first: who sees the run final, finds its log whole. `has_told`: the flow's process has, of
        each task that will not run.
        """
        self.logs.close()
        self.events.flush()
        now = to_iso(self.ports.clock.now())
        stands = self.ports.runs.finish_run(
            self.run.id,
            owner=self.tenure.owner,
            status=end.status,
            ended_at=now,
            problem=end.problem,
            result=result,
            # An isolated run is concluded when every task was seen to have ended; its child starts none.
            has_open_tasks=not (self._is_isolated and self.run.is_planned and end.status is Status.SUCCEEDED),
        )
        if stands is None:
            raise LeaseLost(self.run.id)
        if not has_told:
            with suppress(Unavailable):
                add_cancelled(self.events, self.ports, stands)
        add_end(self.events, end.status, end.problem.message if end.problem else None)
        self.events.try_flush()  # the run has ended: nobody would come back to tell of it
        leave(self.ports, self.run)
        return Finished(end.status)

    def _hand_over(self, over: HandOver) -> HandedOver:
        """Release first, then send: in between, a crash leaves a run that the reconciler finds."""
        hop, owner, wait_s = self.hop + 1, self.tenure.owner, over.wait_s
        self.events.add("run_handed_back", data={"hop": hop, "wait_s": wait_s})
        self.logs.close()
        self.events.flush()
        if wait_s == 0.0:
            self.ports.runs.release_lease(self.run.id, owner=owner, flow_attempt=over.flow_attempt)
            self.ports.dispatcher.to_runtime(self.run.size, AdvanceRun(self.run.id, hop=hop))
        elif not park(self.ports, self.run, owner=owner, hop=hop, wait_s=wait_s, flow_attempt=over.flow_attempt):
            raise LeaseLost(self.run.id)
        return HandedOver(hop, wait_s)

    def _stored_tasks(self) -> dict[str, TaskRun]:
        return {task.id: task for task in tasks_of(self.ports, self.run.id)}

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
            self.logs.note(task.id, message)
            told = {"attempt_id": task.attempt_id, "error": message}
            self.events.add("task_failed", task_run_id=task.id, attempt=task.attempt, data=told)
            stored[task.id] = self.ports.runs.finish_task(
                self.run.id, task.id, attempt_id=task.attempt_id or "", outcome=outcome
            )
        return stored


def _too_many_hops(max_hops: int) -> Problem:
    return Problem(
        "TooManyInvocations",
        f"The run used {max_hops} invocations, the most that one run may. Split the flow, or give it a larger size.",
    )
