"""One try of one task, in a worker thread: arguments, hooks, the author's function, its result, what follows a failure.

An attempt has one end. Whoever calls `Attempt.settle` first decides it: the thread that has the result in hand, or
the runner that gives the attempt up at its timeout. A late result finds the attempt settled and is dropped, unseen
by the recorder.
"""

from __future__ import annotations

import inspect
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from dagy.authoring.hooks import HookFunction, RunContext
from dagy.core.errors import ArtifactSerializationError, InvalidInput
from dagy.core.refs import hydrate
from dagy.core.retry import GiveUp, Retry, RetryPolicy, decide_retry
from dagy.core.states import State, completed, failed, running
from dagy.execution.capture import Sink, writing_to
from dagy.execution.failures import failure_of
from dagy.execution.hooks import call_hooks, named_arguments
from dagy.execution.recorder import Failure, Measured, Recorder
from dagy.execution.timing import Timing
from dagy.results import Encoded, encode

if TYPE_CHECKING:
    from dagy.authoring import TaskCall

_BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


class Attempt:
    """`number` counts all attempts of the task run, `try_number` those since the flow itself was last tried."""

    __slots__ = ("_unsettled", "after", "arguments", "call", "number", "sink", "try_number")

    def __init__(self, call: TaskCall, *, number: int, try_number: int, after: Failure | None, sink: Sink) -> None:
        self.call = call
        self.number = number
        self.try_number = try_number
        self.after = after  # why the one before it failed, when this is a retry
        self.sink = sink
        self.arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self._unsettled = [True]

    @property
    def is_settled(self) -> bool:
        return not self._unsettled

    def settle(self) -> bool:
        """True for exactly one caller."""
        try:
            return self._unsettled.pop()  # one step for every other thread
        except IndexError:
            return False


@dataclass(frozen=True, slots=True)
class Returned:
    """The task is done and its result recorded."""

    attempt: Attempt
    value: Any


@dataclass(frozen=True, slots=True)
class WillRetry:
    attempt: Attempt
    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class WaitsForFlow:
    """The task is out of retries; the flow has one left."""

    attempt: Attempt
    failure: Failure


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The task failed for good, which is recorded."""

    attempt: Attempt
    failure: Failure
    error: BaseException


Ended = Union[Returned, WillRetry, WaitsForFlow, GaveUp]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all attempts of a run share. `flow_retry` says what a final failure means for the flow as a whole, and
    `failed_for_good` is told of each, at once.
    """

    recorder: Recorder
    timing: Timing
    result_of: Callable[[str], Any]
    flow_retry: Callable[[BaseException], Retry | GiveUp]
    failed_for_good: Callable[[], None]


def carry_out(attempt: Attempt, around: Surroundings) -> Ended | None:
    """None when the attempt was given up before it ended.

    Raises: what the recorder raises, except that a result it cannot store fails the task.
    """
    started = _Stopwatch(around.timing)
    if attempt.is_settled:
        return None
    with writing_to(attempt.sink):
        try:
            around.recorder.task_started(attempt.call.id, attempt=attempt.number)
            try:
                value, encoded = _result(attempt, around)
            except _Hopeless as hopeless:
                return _failed_at_work(attempt, hopeless.error, started, around, may_retry=False)
            except BaseException as error:
                return _failed_at_work(attempt, error, started, around, may_retry=True)
            if not attempt.settle():
                return None
            return _succeed(attempt, value, encoded, started.measured(), around)
        finally:
            attempt.sink.close()


def conclude_failure(
    attempt: Attempt, error: BaseException, measured: Measured, around: Surroundings, *, may_retry: bool = True
) -> Ended:
    """Log it, decide what follows, record that, call the hooks. For a settled attempt.

    Runs the author's own retry functions and hooks; what they raise is logged and counts as "no retry".
    """
    call, log = attempt.call, attempt.sink
    failure = failure_of(error)
    with writing_to(log):
        try:
            log.line("ERROR", failure.traceback or failure.message)
            decision = _decide(attempt, error, around) if may_retry else GiveUp("trying again would not help")
            if isinstance(decision, Retry):
                around.recorder.task_retrying(
                    call.id, attempt=attempt.number, failure=failure, delay_s=decision.delay_s
                )
                return WillRetry(attempt, failure, decision.delay_s)
            around.failed_for_good()
            for_flow = around.flow_retry(error)
            if isinstance(for_flow, Retry):
                around.recorder.task_retrying(
                    call.id, attempt=attempt.number, failure=failure, delay_s=for_flow.delay_s
                )
            else:
                around.recorder.task_failed(call.id, attempt=attempt.number, failure=failure, measured=measured)
            _call_task_hooks(call.task.on_failure, failed(failure.message), attempt)
            return WaitsForFlow(attempt, failure) if isinstance(for_flow, Retry) else GaveUp(attempt, failure, error)
        finally:
            log.close()


class _Hopeless(Exception):
    """The same attempt again would fail the same way: its arguments or its result are of the wrong kind."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Stopwatch:
    __slots__ = ("_started_cpu_s", "_started_s", "_timing")

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._started_s = timing.monotonic()
        self._started_cpu_s = time.thread_time()

    def measured(self) -> Measured:
        return Measured(
            self._timing.monotonic() - self._started_s, time.thread_time() - self._started_cpu_s, peak_mib()
        )


def peak_mib() -> float:
    """Of this process, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_MAXRSS / (1024 * 1024)


def _result(attempt: Attempt, around: Surroundings) -> tuple[Any, Encoded]:
    task = attempt.call.task
    try:
        args = tuple(hydrate(arg, around.result_of) for arg in attempt.call.args)
        kwargs = {name: hydrate(arg, around.result_of) for name, arg in attempt.call.kwargs.items()}
        attempt.arguments = args, kwargs = task.bind(args, kwargs)
    except (InvalidInput, ArtifactSerializationError) as error:
        raise _Hopeless(error) from error
    if attempt.after is None:
        _call_task_hooks(task.on_running, running(), attempt)
    else:
        reason = f"attempt {attempt.try_number} of {task.policy.retries + 1}, after {attempt.after.message}"
        _call_task_hooks(task.on_retry, running(reason), attempt)
    value = task.fn(*args, **kwargs)
    if inspect.iscoroutine(value):
        value = _awaited(value)
    try:
        return value, encode(value)
    except ArtifactSerializationError as error:
        raise _Hopeless(error) from error


def _awaited(coroutine: Any) -> Any:
    import asyncio  # heavy, and only for `async def` tasks

    return asyncio.run(coroutine)


def _succeed(
    attempt: Attempt, value: Any, encoded: Encoded, measured: Measured, around: Surroundings
) -> Returned | Ended:
    try:
        around.recorder.task_succeeded(attempt.call.id, attempt=attempt.number, result=encoded, measured=measured)
    except ArtifactSerializationError as refusal:
        error = ArtifactSerializationError(f"A result of type {type(value).__qualname__} cannot be stored: {refusal}")
        return conclude_failure(attempt, error, measured, around, may_retry=False)
    _call_task_hooks(attempt.call.task.on_completion, completed(), attempt)
    return Returned(attempt, value)


def _failed_at_work(
    attempt: Attempt, error: BaseException, started: _Stopwatch, around: Surroundings, *, may_retry: bool
) -> Ended | None:
    if not attempt.settle():
        return None
    return conclude_failure(attempt, error, started.measured(), around, may_retry=may_retry)


def _decide(attempt: Attempt, error: BaseException, around: Surroundings) -> Retry | GiveUp:
    return decide(
        attempt.call.task.policy, attempt=attempt.try_number, error=error, timing=around.timing, log=attempt.sink
    )


def decide(policy: RetryPolicy, *, attempt: int, error: BaseException, timing: Timing, log: Sink) -> Retry | GiveUp:
    """`decide_retry`, for errors of every kind and policies whose functions may fail."""
    if not isinstance(error, Exception):
        return GiveUp(f"{type(error).__name__} asks to stop")
    try:
        return decide_retry(policy, attempt=attempt, error=error, chance=timing.chance())
    except BaseException as problem:
        log.line("ERROR", f"The retry settings failed, so there is no retry\n{failure_of(problem).traceback}")
        return GiveUp("its retry settings failed")


def _call_task_hooks(hooks: tuple[HookFunction, ...], state: State, attempt: Attempt) -> None:
    if not hooks:
        return
    task = attempt.call.task
    parameters = named_arguments(task.fn, *attempt.arguments)
    context = RunContext("task", task.name, attempt.try_number, task.policy.retries, parameters)
    call_hooks(hooks, context, state, log=attempt.sink)
