"""`@task`: a function that a flow can plan, and Dagy can run, retry, time and watch."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from dagy.authoring.active import LISTENING
from dagy.authoring.calls import Signature
from dagy.authoring.hooks import HookFunction
from dagy.authoring.settings import (
    checked_concurrency,
    checked_description,
    checked_executor,
    checked_flag,
    checked_hooks,
    checked_identity,
    checked_timeout,
)
from dagy.authoring.source import import_path
from dagy.core.errors import InvalidFlow
from dagy.core.retry import RetryDelay, checked_policy
from dagy.core.spec import TaskSpec

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """A decorated function. Called inside a flow it joins the plan and returns a `TaskOutput`; called anywhere else
    it is the plain function.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        executor: str | None = None,
        retries: int = 0,
        retry_delay_seconds: RetryDelay = None,
        retry_jitter_factor: float | None = None,
        timeout_seconds: float | None = None,
        concurrency_limit: int | None = None,
        validate_parameters: bool = True,
        on_running: Iterable[HookFunction] | None = None,
        on_completion: Iterable[HookFunction] | None = None,
        on_failure: Iterable[HookFunction] | None = None,
        on_retry: Iterable[HookFunction] | None = None,
        retry_condition_fn: Callable[[Exception], bool] | None = None,
    ) -> None:
        """Raises: InvalidFlow naming the setting and its value."""
        self.name = checked_identity("task", fn, name)
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.defined_at_s = time.time()  # a file that was edited later does not say what this task does
        self.description = checked_description(description, fn)
        self.executor = checked_executor(executor)
        self.retries = retries
        self.retry_delay_seconds = retry_delay_seconds
        self.retry_jitter_factor = retry_jitter_factor
        self.retry_condition_fn = retry_condition_fn
        self.policy = checked_policy(
            retries=retries, delay_s=retry_delay_seconds, jitter=retry_jitter_factor, should_retry=retry_condition_fn
        )
        self.timeout_seconds = checked_timeout(timeout_seconds)
        self.concurrency_limit = checked_concurrency(concurrency_limit)
        self.validate_parameters = checked_flag("validate_parameters", validate_parameters)
        self.on_running = checked_hooks("on_running", on_running)
        self.on_completion = checked_hooks("on_completion", on_completion)
        self.on_failure = checked_hooks("on_failure", on_failure)
        self.on_retry = checked_hooks("on_retry", on_retry)
        self._signature = Signature(fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        listener = LISTENING.get()
        if listener is None:
            return self.fn(*args, **kwargs)
        try:
            self._signature.check_shape(args, kwargs)
        except TypeError as error:
            raise InvalidFlow(f"Task '{self.name}' cannot be called like this: {error}") from None
        # Typed as the function's result, which is what every other task receives in its place.
        return cast(R, listener.note_call(self, args, kwargs))

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments whose results are all there, converted to the annotations (unless `validate_parameters=False`).

        Raises: ParameterTypeError; TypeError when they do not fit the signature.
        """
        return self._signature.converted(args, kwargs) if self.validate_parameters else (args, dict(kwargs))

    @property
    def spec(self) -> TaskSpec:
        """The settings as a plan has them."""
        delay = self.retry_delay_seconds
        return TaskSpec(
            name=self.name,
            import_path=import_path(self.fn),
            description=self.description,
            default_executor=self.executor,
            retries=self.retries,
            retry_delay_seconds={"$callable": import_path(delay)} if callable(delay) else self.policy.delay_s,
            timeout_seconds=self.timeout_seconds,
            concurrency_limit=self.concurrency_limit,
        )

    def __repr__(self) -> str:
        return f"<Task '{self.name}'>"


class AsyncTask(Task[P, R]):
    """A task made of an `async def`. In a flow its call stands for what it gives when awaited, which is how it is
    typed; outside, the call gives the coroutine, for which type checkers want `fn`: `asyncio.run(fetch.fn(url))`.
    """

    fn: Callable[P, Coroutine[Any, Any, R]]  # type: ignore[assignment]  # the flow's point of view is the base's


class _Decorator(Protocol):
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    name: str | None = None,
    description: str | None = None,
    executor: str | None = None,
    retries: int = 0,
    retry_delay_seconds: RetryDelay = None,
    retry_jitter_factor: float | None = None,
    timeout_seconds: float | None = None,
    concurrency_limit: int | None = None,
    validate_parameters: bool = True,
    on_running: Iterable[HookFunction] | None = None,
    on_completion: Iterable[HookFunction] | None = None,
    on_failure: Iterable[HookFunction] | None = None,
    on_retry: Iterable[HookFunction] | None = None,
    retry_condition_fn: Callable[[Exception], bool] | None = None,
) -> _Decorator: ...
def task(fn: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make a task of a function, bare (`@task`) or with settings (`@task(retries=3)`).

    - `name`, `description`: instead of the function's name and docstring. Task runs are called `<name>-<n>`.
    - `executor`: `lambda`, `step-functions` or `ecs`, where it runs in a stage; None is where its deployment does.
    - `retries`: how many more attempts after the first, 0 by default.
    - `retry_delay_seconds`: the pause before each; a number; a list with one entry per retry, its last repeated; or a
      function of the number of the attempt that failed. None is no pause.
    - `retry_jitter_factor`: from 0 to 1; up to that share of the pause is added by chance.
    - `retry_condition_fn`: gets the exception; another attempt is made only if it returns true.
    - `timeout_seconds`: above 0. An attempt that takes longer fails with TaskTimeoutError, frees its worker, and a
      result that comes later is dropped.
    - `concurrency_limit`: how many of this task may run at once in one run, 1 or more; None is as many as workers.
    - `validate_parameters`: whether arguments are converted to their annotations, and refused if they cannot be.
    - `on_running`, `on_retry`, `on_completion`, `on_failure`: hooks, called in their order with `(RunContext, State)`:
      before the first attempt, before every other, after the result is safe, after the last attempt failed.

    Raises: InvalidFlow naming the setting and its value; RetryConfigurationError for those of retries.
    """
    return _task_of(fn, **settings) if fn is not None else functools.partial(_task_of, **settings)


def _task_of(fn: Callable[..., Any], **settings: Any) -> Task[..., Any]:
    return (AsyncTask if inspect.iscoroutinefunction(fn) else Task)(fn, **settings)
