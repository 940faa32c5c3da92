"""One task in an invocation of its own: take it, run it, write down how it ended, and do what follows from that.

A repeat of the message finds the task taken, and does nothing; or done, and does again what follows; or lost, and
takes it over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final, Union

from msgspec import Struct

from dagy.core.errors import DagyError
from dagy.core.sizes import Executor
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.execution.recorder import Finished, RunOptions
from dagy_runtime.engine.artifacts import Unusable
from dagy_runtime.engine.event_log import EventLog
from dagy_runtime.engine.exchange import Exchange
from dagy_runtime.engine.isolated.deciding import Busy, Early, Over, Start, next_step
from dagy_runtime.engine.isolated.executors import start_task, wake_later
from dagy_runtime.engine.isolated.release import follow_up
from dagy_runtime.engine.isolated.task_journal import TaskJournal
from dagy_runtime.engine.isolated.task_limits import has_permit, release_permit
from dagy_runtime.engine.logs import LogWriter, to_stdout
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.resume import attempt_id
from dagy_runtime.engine.supervision import watch
from dagy_runtime.engine.tenure import LeaseLost, Tenure
from dagy_runtime.engine.workshop import ForkedWorkshop, Orders, Workshop
from dagy_runtime.messages import RunTask
from dagy_runtime.plan import Place
from dagy_runtime.ports import Ports
from dagy_runtime.values import Lease, Problem, Run, TaskRun

_LOG: Final = logging.getLogger("dagy.engine.task")


class Ran(Struct, frozen=True):
    """This invocation made an attempt, and its outcome is the task's. `again_at`: when the execution that invoked us is
    to do so again, seconds since the epoch; None without one.
    """

    status: Status
    again_at: float | None = None


class Repeated(Struct, frozen=True):
    """The task had ended before; what follows from that was done again."""


class Passed(Struct, frozen=True):
    """Nothing was to be done here. `reason`: `task_unknown`, `task_taken`, `task_waits`, `task_queued` (for its limit),
    `task_sent_on` (to a container) or `run_final`. `again_at` is as that of `Ran`.
    """

    reason: str
    again_at: float | None = None


class Dropped(Struct, frozen=True):
    """The task had become somebody else's, or its run had ended, while we worked on it. Nothing more was written."""


class Stopped(BaseException):
    """To be raised in the middle of `run_task`, by a signal's handler, when this process is told to end: the task is
    given back at once. Wherever it strikes, that is as if the process had died there.
    """


RanTask = Union[Ran, Repeated, Passed, Dropped]

_REAL_PACING: Final = Pacing()
_TOLD_BYTES: Final = 400


def run_task(
    ports: Ports,
    message: RunTask,
    *,
    time_left: Callable[[], float],
    request_id: str = "",
    pacing: Pacing = _REAL_PACING,
    console: Callable[[str], object] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    workshop: Workshop | None = None,
    is_container: bool = False,
) -> RanTask:
    """Raises: Unavailable, or anything unforeseen: AWS delivers the message again, and whoever gets it takes the task
    over when the lease has run out.
    """
    place = ports.runs.place(message.run_id, message.task_run_id, position=message.position)
    task = ports.runs.get_task(message.run_id, message.task_run_id) if place is not None else None
    if place is None or task is None:
        return _passed(message, "task_unknown")
    step = next_step(task, now=ports.clock.now(), pacing=pacing)
    if isinstance(step, Early):
        wait_s = step.not_before - ports.clock.now()
        if wait_s > pacing.longest_wait_s:
            return _passed(message, "task_waits", again_at=wake_later(ports, task))
        sleep(max(0.0, wait_s))
        step = next_step(task, now=step.not_before, pacing=pacing)
    if isinstance(step, Over):
        return _again(ports, place, task)
    if isinstance(step, (Busy, Early)):
        return _passed(message, "task_taken")
    if task.executor is Executor.ECS and not is_container:  # a timer's message comes to the function
        return _sent_on(ports, message)
    if not has_permit(ports, place.task):
        return _passed(message, "task_queued")
    return _Attempt(ports, place, task, step, request_id, pacing, console, monotonic, workshop).carry_out(time_left)


def _again(ports: Ports, place: Place, task: TaskRun) -> Repeated | Passed:
    run = ports.runs.get_run(task.run_id)
    if run is None or run.status.is_final:
        return Passed("run_final")
    follow_up(ports, run, place, task)
    return Repeated()


def _sent_on(ports: Ports, message: RunTask) -> Passed:
    run = ports.runs.get_run(message.run_id)
    if run is None or run.status.is_final:
        return Passed("run_final")
    start_task(ports, run, message, Executor.ECS)
    return _passed(message, "task_sent_on")


def _told(released: Sequence[str]) -> dict[str, Any]:
    """What the event of a task's end says of those it released: names for at most 400 bytes, so that it stays one
    write unit, and how many more there are.
    """
    lengths = accumulate(len(id) + 3 for id in released)
    named = [id for id, length in zip(released, lengths, strict=True) if length <= _TOLD_BYTES]
    more = {"released_more": len(released) - len(named)} if len(named) < len(released) else {}
    return {"released": named, **more} if released else {}


def _passed(message: RunTask, reason: str, *, again_at: float | None = None) -> Passed:
    _LOG.info("message_passed run_id=%s task_run_id=%s reason=%s", message.run_id, message.task_run_id, reason)
    return Passed(reason, again_at)


class _Attempt(Struct, frozen=True):
    ports: Ports
    place: Place
    task: TaskRun  # as it stood before
    start: Start
    request_id: str
    pacing: Pacing
    console: Callable[[str], object] | None
    monotonic: Callable[[], float]
    workshop: Workshop | None

    def carry_out(self, time_left: Callable[[], float]) -> RanTask:
        total_s, claimed_at, now = time_left(), self.monotonic(), self.ports.clock.now()
        own_id = attempt_id(f"{self.request_id}/{self.ports.ids.unique()}", self.start.past)
        claimed = self.ports.runs.claim_task(
            self.task.run_id,
            self.task.id,
            attempt=self.start.attempt,
            attempt_id=own_id,
            flow_attempt=self.task.flow_attempt,
            started_at=to_iso(now),
            now=now,
            lease_s=self.pacing.lease_s,
        )
        if claimed.status is not Status.RUNNING or claimed.attempt_id != own_id:
            return _again(self.ports, self.place, claimed) if claimed.status.is_final else Passed("task_taken")
        # Only now: a run that has not ended here had not been cancelled when this attempt began.
        run = self.ports.runs.get_run(self.task.run_id)
        if run is None or run.status.is_final:
            self._settle(claimed)
            return Passed("run_final")
        tenure = Tenure(
            lambda: self._renew(own_id),
            Lease(run.id, own_id, now + self.pacing.lease_s),
            claimed_at=claimed_at,
            lease_s=self.pacing.lease_s,
            check_s=self.pacing.check_s,
            monotonic=self.monotonic,
        )
        logs = LogWriter(
            self.ports.blobs,
            self.ports.clock,
            run_id=run.id,
            hop=0,
            invocation=self.ports.ids.unique(),
            console=self.console or to_stdout,
        )
        events = EventLog(self.ports, run.id)
        if self.task.status is Status.RUNNING:
            lost = {"attempt_id": self.task.attempt_id, "claimed_at": self.task.started_at}
            events.add("task_lost", task_run_id=self.task.id, attempt=self.task.attempt, data=lost)
        try:
            ended = self._run(run, claimed, tenure, logs, events, time_left=time_left, total_s=total_s)
            if leads_on := ended.status is Status.SUCCEEDED and bool(self.place.exits):
                released = follow_up(self.ports, run, self.place, ended)  # they need not wait for the log
                events.add_to_last(_told(released))
        except LeaseLost:
            _LOG.warning("lease_lost run_id=%s task_run_id=%s attempt_id=%s", run.id, self.task.id, own_id)
            return Dropped()
        except Stopped:
            with suppress(DagyError):
                self._give_back(own_id)
            raise
        finally:
            with suppress(DagyError):
                logs.close()
            with suppress(DagyError):
                events.flush()
        if ended.status is Status.PENDING:
            release_permit(self.ports, run, self.place.task)
            return Ran(ended.status, wake_later(self.ports, ended))
        if not leads_on:  # who sees the run final finds its log whole
            follow_up(self.ports, run, self.place, ended)
        return Ran(ended.status)

    def _run(
        self,
        run: Run,
        claimed: TaskRun,
        tenure: Tenure,
        logs: LogWriter,
        events: EventLog,
        *,
        time_left: Callable[[], float],
        total_s: float,
    ) -> TaskRun:
        """The task as it stands after this attempt. Raises: LeaseLost; Unavailable."""
        workshop = self.workshop or ForkedWorkshop(self.ports.blobs)
        with workshop.opened(run, keep=tenure.keep, pulse=tenure.pulse) as bench:
            handover = None if isinstance(bench, Unusable) else bench.handover
            exchange = (
                None
                if handover is None
                else Exchange(self.ports, run.id, handover, tenure.pulse, expected=self.task.depends_on)
            )
            journal = TaskJournal(self.ports, run, claimed, tenure, logs, events, exchange)
            if isinstance(bench, Unusable):
                return journal.fail(bench.problem)
            if self.start.is_deadly:
                return journal.fail(_deadly(run, self.pacing.max_deaths))
            if bench.fetched:
                events.add("packages_fetched", data={"slugs": list(bench.fetched)})
            with bench.start(self._orders()) as child:
                verdict = watch(
                    child,
                    journal,
                    time_left=time_left,
                    total_s=total_s,
                    pacing=self.pacing,
                    monotonic=self.monotonic,
                )
            return journal.concluded(verdict, total_s=total_s)

    def _orders(self) -> Orders:
        used, past = self.start.attempt - 1, self.start.past
        finished = Finished(
            attempts=((self.task.id, used),),
            attempts_before=((self.task.id, past.attempts_before),),
            flow_attempt=past.flow_attempt,
        )
        options = RunOptions(longest_wait_s=self.pacing.longest_wait_s, hands_back_flow_retries=True, is_part=True)
        return Orders(options, finished, only_task=self.task.id)

    def _renew(self, own_id: str) -> Lease | None:
        """None also when the run has ended: then this attempt is to be killed."""
        now = self.ports.clock.now()
        if not self.ports.runs.renew_task(
            self.task.run_id, self.task.id, attempt_id=own_id, now=now, lease_s=self.pacing.lease_s
        ):
            return None
        run = self.ports.runs.get_run(self.task.run_id)
        return None if run is None or run.status.is_final else Lease(run.id, own_id, now + self.pacing.lease_s)

    def _give_back(self, own_id: str) -> None:
        """It is RUNNING still, with a lease that ends now: to be taken over."""
        now = self.ports.clock.now()
        self.ports.runs.renew_task(self.task.run_id, self.task.id, attempt_id=own_id, now=now, lease_s=0.0)

    def _settle(self, claimed: TaskRun) -> None:
        now = to_iso(self.ports.clock.now())
        reason = "The run had ended"
        self.ports.runs.settle_tasks(claimed.run_id, [claimed.id], status=Status.CANCELLED, reason=reason, ended_at=now)


def _deadly(run: Run, max_deaths: int) -> Problem:
    return Problem(
        "FunctionDied",
        f"The function died {max_deaths + 1} times while this task ran, most likely out of memory; give it a "
        f"larger size than {run.size}",
    )
