"""`run_in_memory`: a flow executed for a test, with no files, no network and no waiting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from dagy.authoring import Flow, TracedFlow
from dagy.core.errors import InvalidInput
from dagy.core.states import Status
from dagy.execution.recorder import Cancelled, Failed, Outcome, RunOptions, Succeeded
from dagy.execution.runner import run_flow
from dagy.testing.changes import Change, changed
from dagy.testing.clock import FakeClock
from dagy.testing.outcome import LogLine, TestRun, TestTaskRun
from dagy.testing.recorder import MemoryRecorder, TaskFacts

R = TypeVar("R")


def run_in_memory(
    flow: Flow[..., R],
    /,
    *args: Any,
    given: Iterable[Change] = (),
    max_workers: int = 1,
    fail_fast: bool = True,
    clock: FakeClock | None = None,
    chance: float = 0.0,
    **parameters: Any,
) -> TestRun[R]:
    """Run the flow to its end with these parameters (those named like a setting here go by position), and tell what
    came of it. A failed run is an answer, not an exception.

    `given` changes tasks; see `fail_task`, `slow_task`, `with_result`, `with_body`. `chance`, from 0 to 1, is the
    share of `retry_jitter_factor` that is added to each delay. Times are those of `clock`, by default a new one.
    With one worker, tasks run one by one in the flow's order; with more, they really run side by side.
    What tasks print is shown, too.

    Raises: what `Flow.trace` raises; InvalidInput for settings that cannot be meant; KeyboardInterrupt after Ctrl-C.
    """
    if not isinstance(flow, Flow):
        raise InvalidInput(f"run_in_memory runs flows, got {flow!r}", "Decorate the function with @flow.")
    if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
        raise InvalidInput(f"max_workers must be a whole number of 1 or more, got {max_workers!r}")
    if not 0.0 <= chance <= 1.0:
        raise InvalidInput(f"chance must be from 0.0 to 1.0, got {chance!r}")
    clock = clock or FakeClock()
    traced = flow.trace(*args, **parameters)
    recorder = MemoryRecorder(traced.calls, clock)
    staged = changed(traced, given, clock=clock, note=recorder.note_arguments)
    options = RunOptions(fail_fast=fail_fast, max_workers=max_workers, echo=True)
    began_at_s = clock.now_s
    try:
        outcome = run_flow(staged, recorder, options=options, timing=clock.timing(list(traced.calls), chance=chance))
    finally:
        clock.close()
    if isinstance(outcome, Cancelled):
        raise KeyboardInterrupt
    return _told(traced, recorder, outcome, began_at_s=began_at_s, ended_at_s=clock.now_s)


def _told(
    traced: TracedFlow, recorder: MemoryRecorder, outcome: Outcome, *, began_at_s: float, ended_at_s: float
) -> TestRun[Any]:
    lines: dict[str | None, list[LogLine]] = {}
    for task_run_id, stream, text in recorder.lines:
        lines.setdefault(task_run_id, []).append(LogLine(stream, text))
    tasks = [
        _task_run(id, traced.calls[id].task.name, facts, tuple(lines.get(id, ())), began_at_s)
        for id, facts in recorder.tasks.items()
    ]
    return TestRun(
        flow_name=traced.flow.name,
        status=Status.SUCCEEDED if isinstance(outcome, Succeeded) else Status.FAILED,
        tasks=tuple(tasks),
        error=outcome.error if isinstance(outcome, Failed) else None,
        failed_task_id=outcome.task_run_id if isinstance(outcome, Failed) else None,
        duration_s=_clean(ended_at_s - began_at_s),
        lines=tuple(lines.get(None, ())),
        _stored=outcome.output if isinstance(outcome, Succeeded) else None,
    )


def _task_run(id: str, name: str, facts: TaskFacts, lines: tuple[LogLine, ...], began_at_s: float) -> TestTaskRun:
    tries = [facts.tries[number] for number in sorted(facts.tries)]
    spans_s = [(each.started_at_s, each.started_at_s if each.ended_at_s is None else each.ended_at_s) for each in tries]
    failures = [each.failure for each in tries if each.failure is not None]
    return TestTaskRun(
        id=id,
        name=name,
        status=facts.status,
        attempts=len(tries),
        arguments=facts.arguments,
        started_at_s=_clean(spans_s[0][0] - began_at_s) if spans_s else None,
        ended_at_s=_clean(spans_s[-1][1] - began_at_s) if spans_s else None,
        durations_s=tuple(_clean(end_s - start_s) for start_s, end_s in spans_s),
        delays_s=tuple(each.delay_s for each in tries if each.delay_s is not None),
        failure=failures[-1] if failures else None,
        reason=facts.reason,
        lines=lines,
        _stored=facts.result,
    )


def _clean(seconds: float) -> float:
    """Without the last digits, in which sums of floats differ."""
    return round(seconds, 6)
