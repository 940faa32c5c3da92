"""Running a traced flow: one thread decides, worker threads carry out.

The deciding thread is the caller's. It never runs tasks and never waits for anything but messages: from the
workers, from the run's `Control`, or the next moment at which a retry is due or an attempt's time is over.
"""

from __future__ import annotations

import heapq
import threading
from contextvars import copy_context
from functools import partial
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from dagy.authoring.hooks import HookFunction, RunContext
from dagy.core.errors import TaskTimeoutError
from dagy.core.refs import hydrate, refs_in
from dagy.core.retry import GiveUp, Retry
from dagy.core.states import State, completed, failed, running
from dagy.execution.attempt import (
    Attempt,
    GaveUp,
    Returned,
    Surroundings,
    WaitsForFlow,
    WillRetry,
    carry_out,
    conclude_failure,
    decide,
    peak_mib,
)
from dagy.execution.capture import Sink, captured
from dagy.execution.failures import failure_of
from dagy.execution.hooks import call_hooks
from dagy.execution.interrupts import ctrl_c_cancels
from dagy.execution.progress import Progress, Stand
from dagy.execution.recorder import (
    Cancelled,
    Control,
    Failed,
    Failure,
    Finished,
    HandedBack,
    Measured,
    Outcome,
    Recorder,
    RunOptions,
    Succeeded,
)
from dagy.execution.timing import Timing, Wake
from dagy.execution.workers import Broken, Workers
from dagy.results import decode, encode

if TYPE_CHECKING:
    from dagy.authoring import TracedFlow

_NOTHING: Final = Finished()
_REAL_TIME: Final = Timing()


def run_flow(
    traced: TracedFlow,
    recorder: Recorder,
    *,
    options: RunOptions,
    finished: Finished = _NOTHING,
    control: Control | None = None,
    timing: Timing = _REAL_TIME,
) -> Outcome:
    """Run every task that `finished` does not settle, in dependency order, and give the flow's end.

    Tasks of every outcome have been told to the recorder when this returns. On a second Ctrl-C, or when the recorder
    itself fails, this raises, and what runs then is left to itself.

    Raises: DependencyCycleError; whatever the recorder raises.
    """
    control = control or Control()
    sink = Sink(recorder.log, None, echo=options.echo)
    with captured(sink), ctrl_c_cancels(control):
        execution = _Execution(traced, recorder, options, finished, control, timing, sink)
        try:
            return execution.run()
        finally:
            execution.close()


class _Execution:
    def __init__(
        self,
        traced: TracedFlow,
        recorder: Recorder,
        options: RunOptions,
        finished: Finished,
        control: Control,
        timing: Timing,
        sink: Sink,
    ) -> None:
        self._traced = traced
        self._recorder = recorder
        self._options = options
        self._finished = finished
        self._control = control
        self._timing = timing
        self._sink = sink
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._workers = Workers(self._inbox, size=options.max_workers)
        self._around = Surroundings(recorder, timing, self._result_of, self._flow_retry, self._failed_for_good)
        self._context = copy_context()
        self._progress = Progress(
            {id: call.depends_on for id, call in traced.calls.items()},
            finished=finished,
            limits={
                id: (call.task.name, call.task.concurrency_limit)
                for id, call in traced.calls.items()
                if call.task.concurrency_limit is not None
            },
            in_output={ref.task_run_id for ref in refs_in(traced.output)},
        )
        self._values: dict[str, Any] = {}
        self._running: dict[str, Attempt] = {}
        self._attempts: dict[str, int] = dict(finished.attempts)
        self._attempts_before: dict[str, int] = dict(finished.attempts_before)
        self._last_failure: dict[str, Failure] = {}
        self._order = count()  # breaks ties in the heaps
        self._due: list[tuple[float, int, str]] = []
        self._deadlines: list[tuple[float, int, Attempt]] = []
        self._failed: Failed | None = None
        self._is_stopping = False
        self._flow_attempt = finished.flow_attempt
        self._flow_decision: Retry | GiveUp | None = None
        self._flow_decision_lock = threading.Lock()
        self._flow_due_s: float | None = None
        control.on_change(lambda: self._inbox.put(Wake))

    def run(self) -> Outcome:
        if self._finished == _NOTHING:
            self._call_flow_hooks(self._traced.flow.on_running, running())
        self._inherit_failures()
        while True:
            outcome = self._step()
            if outcome is not None:
                return outcome
            message = self._timing.wait(self._inbox, self._wait_s(), len(self._running))
            while message is not None:
                self._take_in(message)
                message = None if self._inbox.empty() else self._inbox.get()

    def close(self) -> None:
        self._control.on_change(lambda: None)
        self._workers.close()

    # --- deciding -------------------------------------------------------------------------------------------

    def _step(self) -> Outcome | None:
        """Start and give up what is to be; the outcome when this is the end."""
        self._take_back()
        if self._control.cancel_reason is not None:
            return self._cancel(self._control.cancel_reason)
        now_s = self._timing.monotonic()
        self._give_up_overdue(now_s)
        self._release_due(now_s)
        if not (self._control.is_draining or self._is_stopping or self._flow_due_s is not None):
            self._start_ready(now_s)
        if self._running:
            return None
        if self._progress.is_settled or (self._is_stopping and not self._progress.has_parked):
            return self._end()
        if self._flow_due_s is None and self._progress.has_parked and (self._is_stopping or not self._can_go_on()):
            self._flow_due_s = now_s + self._flow_delay_s()
        return self._hand_back_or_wait(now_s)

    def _can_go_on(self) -> bool:
        return self._progress.has_ready or bool(self._due)

    def _hand_back_or_wait(self, now_s: float) -> Outcome | None:
        """Nothing runs, and it is not the end."""
        if self._flow_due_s is not None:
            wait_s = max(0.0, self._flow_due_s - now_s)
        else:
            wait_s = 0.0 if self._progress.has_ready else max(0.0, self._due[0][0] - now_s)
        if self._is_for_another_process(wait_s):
            if self._flow_due_s is not None:
                self._begin_flow_attempt()
            return HandedBack(wait_s, self._flow_attempt)
        if self._flow_due_s is not None and wait_s == 0.0:
            self._begin_flow_attempt()
            self._progress.unpark()
            return self._step()
        return None

    def _is_for_another_process(self, wait_s: float) -> bool:
        options = self._options
        return (
            self._control.is_draining
            or (options.longest_wait_s is not None and wait_s > options.longest_wait_s)
            or (options.hands_back_flow_retries and self._flow_due_s is not None)
        )

    def _wait_s(self) -> float | None:
        """Until something is to be done even if no message comes."""
        moments = [moment for moment in (self._flow_due_s,) if moment is not None]
        while self._deadlines and self._deadlines[0][2] is not self._running.get(self._deadlines[0][2].call.id):
            heapq.heappop(self._deadlines)
        if self._deadlines:
            moments.append(self._deadlines[0][0])
        if self._due and not (self._is_stopping or self._control.is_draining):
            moments.append(self._due[0][0])
        return max(0.0, min(moments) - self._timing.monotonic()) if moments else None

    def _flow_retry(self, error: BaseException) -> Retry | GiveUp:
        """Decided by the first task that fails in this attempt of the flow, for all that do. Called by workers."""
        with self._flow_decision_lock:
            if self._flow_decision is None:
                self._flow_decision = decide(
                    self._traced.flow.policy,
                    attempt=self._flow_attempt,
                    error=error,
                    timing=self._timing,
                    log=self._sink,
                )
            return self._flow_decision

    def _flow_delay_s(self) -> float:
        return self._flow_decision.delay_s if isinstance(self._flow_decision, Retry) else 0.0

    # --- acting ---------------------------------------------------------------------------------------------

    def _start_ready(self, now_s: float) -> None:
        workers = self._options.max_workers
        while len(self._running) < workers + self._options.ahead:
            id = self._progress.take()
            if id is None:
                return
            call = self._traced.calls[id]
            is_ahead = len(self._running) >= workers
            if is_ahead and call.task.timeout_seconds is not None:  # its time would run before it does
                self._progress.put_back(id)
                return
            number = self._attempts[id] = self._attempts.get(id, 0) + 1
            attempt = Attempt(
                call,
                number=number,
                try_number=number - self._attempts_before.get(id, 0),
                after=self._last_failure.get(id),
                sink=Sink(self._recorder.log, id, echo=self._options.echo),
            )
            self._running[id] = attempt
            if call.task.timeout_seconds is not None:
                heapq.heappush(self._deadlines, (now_s + call.task.timeout_seconds, next(self._order), attempt))
            job = partial(self._context.copy().run, carry_out, attempt, self._around)
            self._workers.start(job, ahead=attempt if is_ahead else None)

    def _take_back(self) -> None:
        """What was handed out ahead, and shall not start any more or not yet, is as if it never was."""
        if self._control.cancel_reason is not None or self._control.is_draining or self._is_stopping:
            self._workers.recall()
        for attempt in self._workers.recalled():
            id = attempt.call.id
            del self._running[id]
            self._attempts[id] -= 1
            self._progress.put_back(id)

    def _failed_for_good(self) -> None:
        """Called by a worker, before it takes the next task and before the runner hears of it."""
        if self._options.fail_fast:
            self._workers.recall()

    def _take_in(self, message: Any) -> None:
        if message is Wake:
            return
        self._workers.finished()
        if isinstance(message, Broken):
            raise message.error
        attempt: Attempt = message.attempt
        id = attempt.call.id
        del self._running[id]
        if isinstance(message, Returned):
            self._values[id] = message.value
            self._last_failure.pop(id, None)
            self._forget(self._progress.succeed(id))
        elif isinstance(message, WillRetry):
            self._last_failure[id] = message.failure
            self._progress.delay(id)
            heapq.heappush(self._due, (self._timing.monotonic() + message.delay_s, next(self._order), id))
        elif isinstance(message, WaitsForFlow):
            self._last_failure[id] = message.failure
            self._progress.park(id)
            self._is_stopping = self._options.fail_fast
        else:
            self._take_in_failure(message)

    def _take_in_failure(self, message: GaveUp) -> None:
        id = message.attempt.call.id
        self._forget(self._progress.fail(id))
        self._failed = self._failed or Failed(message.failure, id, message.error)
        if self._options.fail_fast:
            self._is_stopping = True
        else:
            self._skip_dependents(id)

    def _inherit_failures(self) -> None:
        """An earlier execution of this run recorded failures: what follows from them, follows now."""
        for id in self._traced.calls:
            if self._progress.stand(id) is not Stand.FAILED:
                continue
            words = Failure("TaskFailedError", "it failed in an earlier execution of this run")
            self._failed = self._failed or Failed(words, id)
            if self._options.fail_fast:
                self._is_stopping = True
            else:
                self._skip_dependents(id)

    def _skip_dependents(self, id: str) -> None:
        skipped, unneeded = self._progress.skip_dependents(id)
        for child in skipped:
            self._recorder.task_skipped(child, reason=f"'{id}' failed")
        self._forget(unneeded)

    def _release_due(self, now_s: float) -> None:
        while self._due and self._due[0][0] <= now_s:
            self._progress.due(heapq.heappop(self._due)[2])

    def _give_up_overdue(self, now_s: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now_s:
            _, _, attempt = heapq.heappop(self._deadlines)
            if self._running.get(attempt.call.id) is not attempt or not attempt.settle():
                continue
            attempt.sink.close()
            self._workers.give_up_one()
            timeout_s = attempt.call.task.timeout_seconds or 0.0
            aftermath = self._successor_for_aftermath(attempt)
            self._workers.start(
                partial(
                    self._context.copy().run,
                    conclude_failure,
                    aftermath,
                    TaskTimeoutError(timeout_s),
                    Measured(timeout_s, 0.0, peak_mib()),
                    self._around,
                )
            )

    def _successor_for_aftermath(self, attempt: Attempt) -> Attempt:
        """The same attempt for the records, with a log of its own: the old thread may still print."""
        successor = Attempt(
            attempt.call,
            number=attempt.number,
            try_number=attempt.try_number,
            after=attempt.after,
            sink=Sink(self._recorder.log, attempt.call.id, echo=self._options.echo),
        )
        successor.arguments = attempt.arguments
        successor.settle()
        self._running[attempt.call.id] = successor
        return successor

    def _begin_flow_attempt(self) -> None:
        self._flow_attempt += 1
        self._flow_due_s, self._flow_decision, self._is_stopping = None, None, False
        self._workers.allow_ahead()
        self._attempts_before = dict(self._attempts)
        retries = self._traced.flow.policy.retries
        self._call_flow_hooks(self._traced.flow.on_retry, running(f"attempt {self._flow_attempt} of {retries + 1}"))

    # --- ending ---------------------------------------------------------------------------------------------

    def _cancel(self, reason: str) -> Outcome | None:
        """Gives up what can be given up. An attempt that is about to be recorded is waited for: it won the race."""
        for id, attempt in list(self._running.items()):
            if attempt.settle():
                attempt.sink.close()
                self._workers.give_up_one()
                del self._running[id]
                self._progress.cancel(id)
                self._recorder.task_cancelled(id, reason=reason)
        if self._running:
            return None
        for id in self._progress.cancel_rest():
            self._recorder.task_cancelled(id, reason=reason)
        return Cancelled(reason)

    def _end(self) -> Outcome:
        if self._failed is not None:
            for id in self._progress.cancel_rest():
                self._recorder.task_cancelled(id, reason=f"'{self._failed.task_run_id}' failed")
            return self._end_failed(self._failed)
        try:
            output = hydrate(self._traced.output, self._result_of)
            encoded = None if output is None else encode(output)
        except Exception as error:
            return self._end_failed(Failed(failure_of(error), None, error))
        self._call_flow_hooks(self._traced.flow.on_completion, completed())
        return Succeeded(encoded)

    def _end_failed(self, outcome: Failed) -> Failed:
        self._call_flow_hooks(self._traced.flow.on_failure, failed(outcome.failure.message))
        return outcome

    def _call_flow_hooks(self, hooks: tuple[HookFunction, ...], state: State) -> None:
        if self._options.is_part:
            return
        flow = self._traced.flow
        parameters = dict(self._traced.parameters)
        context = RunContext("flow", flow.name, self._flow_attempt, flow.policy.retries, parameters)
        call_hooks(hooks, context, state, log=self._sink)

    # --- results --------------------------------------------------------------------------------------------

    def _result_of(self, id: str) -> Any:
        """Called by workers, for results that are still needed."""
        if id not in self._values:
            self._values[id] = decode(self._recorder.result_of(id))
        return self._values[id]

    def _forget(self, unneeded: list[str]) -> None:
        for id in unneeded:
            self._values.pop(id, None)
