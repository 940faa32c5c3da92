"""What the runner tells the world, and what it asks of it. One implementation writes local files, another
speaks through a pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Union

from dagy.results import Encoded


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task or a flow failed, in words that survive the process it happened in.

    `message` is the exception's own, or its class name when it has none. `error_type` is the exception's class name,
    `traceback` its text, without Dagy's own frames.
    """

    error_type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one attempt cost. `cpu_s` is the thread's CPU time (0 for an attempt given up at its timeout, whose
    thread may still run), `peak_mib` the process's peak memory when the attempt ended.
    """

    duration_s: float
    cpu_s: float
    peak_mib: float


class Recorder(Protocol):
    """Where a run's facts go. Methods are called from the runner's threads, several at once.

    A repeat of a call with the same arguments must change nothing.
    """

    def task_started(self, task_run_id: str, *, attempt: int) -> None:
        """May return before the fact is durable."""

    def task_succeeded(self, task_run_id: str, *, attempt: int, result: Encoded, measured: Measured) -> None:
        """Returns only when the result is durable: dependents start next.

        Raises: ArtifactSerializationError when the result is too large to store; the task then fails with it.
        """

    def task_retrying(self, task_run_id: str, *, attempt: int, failure: Failure, delay_s: float) -> None:
        """The attempt failed, and another will be made. The traceback has been logged already."""

    def task_failed(self, task_run_id: str, *, attempt: int, failure: Failure, measured: Measured) -> None:
        """The task failed for good. The traceback has been logged already."""

    def task_skipped(self, task_run_id: str, *, reason: str) -> None: ...

    def task_cancelled(self, task_run_id: str, *, reason: str) -> None: ...

    def result_of(self, task_run_id: str) -> Encoded:
        """The accepted result of a task that an earlier execution of this run finished."""

    def log(self, task_run_id: str | None, stream: str, line: str) -> None:
        """One line, without its end. `stream` is `stdout`, `stderr`, or the logging level's name; no task means
        the run itself.
        """


@dataclass(frozen=True, slots=True)
class Finished:
    """What an earlier execution of this run already settled: not to be run again."""

    succeeded: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    attempts: tuple[tuple[str, int], ...] = ()  # attempts already used, of tasks that are not settled
    attempts_before: tuple[tuple[str, int], ...] = ()  # those of them made before this attempt of the flow
    flow_attempt: int = 1  # of the flow's own retries; see HandedBack


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run.

    With `longest_wait_s`, a run in which nothing can start sooner than that hands itself back instead of waiting
    for a retry; None waits as long as it takes. With `hands_back_flow_retries`, it does so before every retry of the
    flow itself, however near, so that whoever goes on can write down which attempt of the flow that is. With `is_part`,
    others run the rest of the flow, and its hooks are theirs to call. With `echo`,
    what tasks print is also shown where it would have gone without Dagy.

    Up to `ahead` tasks are handed out before a worker is free for them. They have not started, but whoever gets free
    need not wait for the runner, which saves small tasks most of their time: waking a thread takes longer than they do.
    """

    fail_fast: bool = True
    max_workers: int = 1
    longest_wait_s: float | None = None
    hands_back_flow_retries: bool = False
    is_part: bool = False
    echo: bool = False
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Succeeded:
    output: Encoded | None  # None when the flow returned nothing


@dataclass(frozen=True, slots=True)
class Failed:
    """`error` is the exception itself, for callers in the same process; it takes no part in comparisons."""

    failure: Failure
    task_run_id: str | None = None  # the first task that failed; None when the flow itself did
    error: BaseException | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: str


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Not finished, nothing running any more: go on in another process, not before `resume_in_s` seconds from now.

    `flow_attempt` goes into the next execution's `Finished`, so that the flow's own retries are counted across
    processes. The flow's `on_retry` hooks have been called when it is a new one.
    """

    resume_in_s: float = 0.0
    flow_attempt: int = 1


Outcome = Union[Succeeded, Failed, Cancelled, HandedBack]


class Control:
    """How others steer a running flow. Thread-safe; each request can only be made stronger, never taken back."""

    def __init__(self) -> None:
        self._wake: Callable[[], None] = lambda: None
        self.is_draining = False
        self.cancel_reason: str | None = None

    def on_change(self, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, after each request. The runner sets it."""
        self._wake = wake

    def drain(self) -> None:
        """Start no more tasks; when the running ones are done, hand the rest back."""
        self.is_draining = True
        self._wake()

    def cancel(self, reason: str) -> None:
        """Start no more tasks and end as cancelled."""
        self.cancel_reason = self.cancel_reason or reason
        self._wake()
