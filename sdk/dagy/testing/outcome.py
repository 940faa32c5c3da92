"""What came of a run in memory, to assert on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, overload

from dagy.core.states import Status
from dagy.execution.recorder import Failure
from dagy.results import Encoded, decode
from dagy.testing import report

R = TypeVar("R")
E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True, slots=True)
class LogLine:
    """`stream` is `stdout`, `stderr`, or the level of what was logged."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class TestTaskRun:
    """One call of a task. Times are in seconds of the run's clock, from its start.

    `attempts` is how many began, 0 when it was skipped or cancelled; `durations_s` has one entry for each, `delays_s`
    one for each pause between two, as the retry settings asked for it. `failure` is why the last attempt failed that
    did. `arguments` are the last attempt's, by parameter name, after conversion; None when none got that far.
    `reason` says why it was skipped or cancelled.
    """

    __test__: ClassVar[bool] = False  # pytest: this is no test class

    id: str
    name: str
    status: Status
    attempts: int
    arguments: Mapping[str, Any] | None
    started_at_s: float | None
    ended_at_s: float | None
    durations_s: tuple[float, ...]
    delays_s: tuple[float, ...]
    failure: Failure | None
    reason: str | None
    lines: tuple[LogLine, ...] = field(repr=False)
    _stored: Encoded | None = field(repr=False)

    @property
    def result(self) -> Any:
        """What the task returned, after being stored and read back. Raises: AssertionError when it did not succeed."""
        __tracebackhide__ = True
        if self._stored is None:
            raise AssertionError(f"{self.id} has no result: {report.of_task(self)}")
        return decode(self._stored)

    @property
    def log(self) -> str:
        """What it printed and logged, and the traceback of each failure: one line under the other."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class TestRun(Generic[R]):
    """A run that has ended. `tasks` are in the flow's order, `error` is what made it fail, in the task run
    `failed_task_id` or else in the flow itself. `duration_s` is of the run's clock.

    As text it is a report: every task's end, and the log of the one that made the run fail.
    """

    __test__: ClassVar[bool] = False

    flow_name: str
    status: Status
    tasks: tuple[TestTaskRun, ...]
    error: BaseException | None
    failed_task_id: str | None
    duration_s: float
    lines: tuple[LogLine, ...] = field(repr=False)
    _stored: Encoded | None = field(repr=False)

    @property
    def result(self) -> R:
        """What the flow returned, after being stored and read back. Raises: AssertionError when it failed."""
        __tracebackhide__ = True
        self.assert_succeeded()
        value: R = None if self._stored is None else decode(self._stored)  # type: ignore[assignment]
        return value

    @property
    def log(self) -> str:
        """What the flow's own hooks printed and logged; tasks have their own."""
        return "\n".join(line.text for line in self.lines)

    @property
    def statuses(self) -> dict[str, Status]:
        """By the id of the task run. Equal to plain text: `{"extract-1": "SUCCEEDED"}`."""
        return {task.id: task.status for task in self.tasks}

    def task(self, id: str) -> TestTaskRun:
        """By its id (`extract-2`), or by the task's name when the flow calls it once.

        Raises: AssertionError naming those there are.
        """
        __tracebackhide__ = True
        found = [task for task in self.tasks if task.id == id] or [task for task in self.tasks if task.name == id]
        if len(found) == 1:
            return found[0]
        there_are = report.listed(task.id for task in found or self.tasks)
        problem = "was called more than once" if found else "was not called"
        raise AssertionError(f"'{id}' {problem} by flow '{self.flow_name}': there are {there_are}")

    def assert_succeeded(self) -> None:
        """Raises: AssertionError with the report."""
        __tracebackhide__ = True
        if self.status is not Status.SUCCEEDED:
            raise AssertionError(f"The run should have succeeded.\n\n{self}") from self.error

    @overload
    def assert_failed(self, *, match: str | None = None, task: str | None = None) -> BaseException: ...
    @overload
    def assert_failed(
        self, error: type[E] | tuple[type[E], ...], *, match: str | None = None, task: str | None = None
    ) -> E: ...
    def assert_failed(
        self,
        error: type[BaseException] | tuple[type[BaseException], ...] = BaseException,
        *,
        match: str | None = None,
        task: str | None = None,
    ) -> BaseException:
        """The error, when the run failed with one of this class, whose text has the pattern `match`, in the task run
        (or task of the name) `task`. Raises: AssertionError with the report.
        """
        __tracebackhide__ = True
        if self.status is not Status.FAILED or self.error is None:
            raise AssertionError(f"The run should have failed.\n\n{self}")
        if not isinstance(self.error, error):
            raise AssertionError(f"The run should have failed with {report.classes(error)}.\n\n{self}") from self.error
        if match is not None and not re.search(match, str(self.error)):
            raise AssertionError(f"The error should match {match!r}: {self.error}\n\n{self}") from self.error
        if task is not None and self.task(task).id != self.failed_task_id:
            raise AssertionError(f"The run should have failed in {task}.\n\n{self}") from self.error
        return self.error

    def __str__(self) -> str:
        return report.of_run(self)
