"""`@flow`: a function whose body says which tasks depend on which, and everything that can be done with it."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from dagy.authoring.active import IMPORTING, LISTENING
from dagy.authoring.calls import Signature
from dagy.authoring.hooks import HookFunction
from dagy.authoring.settings import (
    checked_description,
    checked_flag,
    checked_hooks,
    checked_identity,
    checked_version,
)
from dagy.authoring.tasks import Task
from dagy.authoring.tracing import TaskCall, traced
from dagy.core.errors import DagyError, InvalidFlow
from dagy.core.refs import ParameterRef, to_json
from dagy.core.retry import RetryDelay, checked_policy
from dagy.core.spec import DEFAULT_VERSION, FlowSpec
from dagy.core.timestamps import to_iso
from dagy.parameters import describe

if TYPE_CHECKING:
    from dagy.client.models import RunResponse
    from dagy.deploy import DeployResult
    from dagy.local import LocalRunContext

P = ParamSpec("P")
R = TypeVar("R")


class Flow(Generic[P, R]):
    """A decorated flow function. Its body runs only to be traced; the work is done by its tasks.

    Called inside another flow, its tasks join that flow's plan; its own retries and hooks then do not apply.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        retries: int = 0,
        retry_delay_seconds: RetryDelay = None,
        retry_jitter_factor: float | None = None,
        validate_parameters: bool = True,
        on_running: Iterable[HookFunction] | None = None,
        on_completion: Iterable[HookFunction] | None = None,
        on_failure: Iterable[HookFunction] | None = None,
        on_retry: Iterable[HookFunction] | None = None,
        retry_condition_fn: Callable[[Exception], bool] | None = None,
    ) -> None:
        """Raises: InvalidFlow naming the setting and its value."""
        self.name = checked_identity("flow", fn, name)
        _refuse_lazy_body(self.name, fn)
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.description = checked_description(description, fn)
        self.version = checked_version(version)
        self.retries = retries
        self.retry_delay_seconds = retry_delay_seconds
        self.retry_jitter_factor = retry_jitter_factor
        self.retry_condition_fn = retry_condition_fn
        self.policy = checked_policy(
            retries=retries, delay_s=retry_delay_seconds, jitter=retry_jitter_factor, should_retry=retry_condition_fn
        )
        self.validate_parameters = checked_flag("validate_parameters", validate_parameters)
        self.on_running = checked_hooks("on_running", on_running)
        self.on_completion = checked_hooks("on_completion", on_completion)
        self.on_failure = checked_hooks("on_failure", on_failure)
        self.on_retry = checked_hooks("on_retry", on_retry)
        self._signature = Signature(fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run on this machine and return the flow's value; inside another flow, join its plan."""
        if LISTENING.get() is None:
            return cast(R, _run_local(self, args, kwargs).result)
        values = self._signature.named(args, kwargs, stand_in=None, validate=self.validate_parameters)
        return cast(Callable[..., R], self.fn)(**values)

    def trace(self, *args: P.args, **kwargs: P.kwargs) -> TracedFlow:
        """The plan for these parameters, with the live arguments that executing it takes.

        Raises: MissingParameter, UnknownParameter, ParameterTypeError; InvalidFlow; whatever the body raises.
        """
        return trace_flow(self, args, kwargs)

    def build(self, *args: Any, version: str | None = None, **kwargs: Any) -> FlowSpec:
        """The plan, without executing anything. Parameters without a value are left open (`{"$param": name}`), as
        long as the body only passes them on.

        Raises: ValueNotKnown when it looks into one; otherwise as `trace`.
        """
        return trace_flow(self, args, kwargs, version=version, is_open=True).spec

    def run_local(
        self, *args: Any, fail_fast: bool = True, max_workers: int = 1, cleanup_keep_last: int = 20, **kwargs: Any
    ) -> LocalRunContext:
        """Execute on this machine, keeping records and logs under `DAGY_LOCAL_DIR`, and give the ended run.

        Up to `max_workers` tasks run at once, in threads. With `fail_fast`, the first failure cancels what has not
        started, and is raised; without, only what depends on it is skipped, and a run with status FAILED is returned.
        Of finished runs, the newest `cleanup_keep_last` are kept. Every other argument is the flow's.

        Raises: what `trace` raises, with nothing recorded. TaskFailedError (from the author's exception),
        TaskTimeoutError, ArtifactSerializationError or ParameterTypeError; KeyboardInterrupt after Ctrl-C;
        LocalRecordsError when the run could not be recorded. The run is recorded as FAILED or CANCELLED then.
        """
        return _run_local(
            self, args, kwargs, fail_fast=fail_fast, max_workers=max_workers, cleanup_keep_last=cleanup_keep_last
        )

    def resume(
        self,
        run_id: str,
        *,
        fail_fast: bool | None = None,
        max_workers: int | None = None,
        cleanup_keep_last: int = 20,
    ) -> LocalRunContext:
        """Finish a local run that was interrupted, failed or cancelled, under its own id and with its parameters,
        without repeating tasks that finished and whose code, arguments and upstream tasks are unchanged. `run_id` may
        be its first 8 or more characters; None keeps the run's own setting.

        Raises: NotFound; Conflict for a run that goes on or succeeded; InvalidInput for one of another flow; as
        `run_local`.
        """
        _refuse_on_import(self)
        from dagy.local import resume_local  # lazy: DuckDB

        return resume_local(
            self, run_id, fail_fast=fail_fast, max_workers=max_workers, cleanup_keep_last=cleanup_keep_last
        )

    def run(self, *args: Any, **kwargs: Any) -> RunResponse | LocalRunContext:
        """Start a run of the deployment with this flow's name when an API is configured (`DAGY_API_URL`, or the
        profile's), and give what the API answers, without waiting for its end. Else `run_local`, with its answer.

        Raises: APIError; otherwise as `run_local`.
        """
        _refuse_on_import(self)
        from dagy.deploy import run_flow  # lazy: HTTP client, DuckDB

        return run_flow(self, args, kwargs)

    def deploy(
        self,
        name: str | None = None,
        *,
        bucket: str | None = None,
        api_url: str | None = None,
        schedule: str | None = None,
        timezone: str | None = None,
        default_executor: str | None = None,
        execution_mode: str | Sequence[str] | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
        dep_packages: Sequence[str] | None = None,
        max_concurrent_runs: int | None = None,
        flow_version: str | None = None,
        flow_kwargs: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> DeployResult | LocalRunContext:
        """Build, upload and register this flow, as the deployment `name` (default: the flow's own); without an API,
        run it here. An unchanged flow is skipped unless `force`. A new deployment is `nano` unless told otherwise;
        a known one keeps the settings not given here.

        `execution_mode` is a size (`nano` to `xlarge`), an isolation (`in-process`, `task-isolated`), or both.
        `schedule` is a cron or rate expression, read in `timezone` (UTC); an empty one removes the schedule.
        `flow_kwargs` are values for parameters that the flow's body looks at; `bucket` is found by itself.

        Raises: InvalidInput and InvalidFlow before anything is uploaded; APIError. A repeat is always safe.
        """
        _refuse_on_import(self)
        from dagy.deploy import deploy_flow  # lazy: boto3, HTTP client

        return deploy_flow(
            self,
            name,
            bucket=bucket,
            api_url=api_url,
            schedule=schedule,
            timezone=timezone,
            default_executor=default_executor,
            execution_mode=execution_mode,
            namespace=namespace,
            tags=tags,
            dep_packages=dep_packages,
            max_concurrent_runs=max_concurrent_runs,
            flow_version=flow_version,
            flow_kwargs=flow_kwargs,
            force=force,
        )

    @property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.fn)

    def __repr__(self) -> str:
        return f"<Flow '{self.name}'>"


@dataclass(frozen=True)
class TracedFlow:
    """A flow, its plan, and what executing the plan takes: live arguments and the live return value.

    `calls` are in the flow's order. `parameters` are bound, converted, and include defaults; `declared` describes them.
    """

    flow: Flow[..., Any]
    version: str
    tasks: Mapping[str, Task[..., Any]]
    calls: Mapping[str, TaskCall]
    output: Any
    parameters: Mapping[str, Any]
    declared: list[dict[str, Any]]
    traced_at_s: float

    @cached_property
    def spec(self) -> FlowSpec:
        """The plan as plain data. Executing needs none of it, so it is made when it is asked for."""
        return FlowSpec(
            name=self.flow.name,
            version=self.version,
            created_at=to_iso(self.traced_at_s),
            tasks={name: task.spec for name, task in self.tasks.items()},
            task_runs=[call.spec for call in self.calls.values()],
            edges=[[parent, call.id] for call in self.calls.values() for parent in call.depends_on],
            outputs=to_json(self.output),
            parameters=self.declared,
        )


def trace_flow(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    version: str | None = None,
    is_open: bool = False,
) -> TracedFlow:
    """`Flow.trace`, or with `is_open` what `Flow.build` does, for parameters of any name."""
    declared = describe(flow.fn)
    version = checked_version(version) or flow.version or DEFAULT_VERSION
    stand_in = ParameterRef if is_open else None
    parameters = flow._signature.named(args, kwargs, stand_in=stand_in, validate=flow.validate_parameters)
    unknown = [name for name, value in parameters.items() if isinstance(value, ParameterRef)]
    try:
        trace, output = traced(lambda: flow.fn(**parameters))
    except DagyError:
        raise
    except Exception as error:
        if not unknown:
            raise
        names = ", ".join(f"'{name}'" for name in unknown)
        raise InvalidFlow(
            f"Flow '{flow.name}' failed while it was built without values for {names}: {type(error).__name__}: {error}",
            f"Give them values: {' '.join(f'--param {name}=<value>' for name in unknown)}",
        ) from error
    return TracedFlow(flow, version, trace.tasks, trace.calls, output, parameters, declared, time.time())


def _run_local(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    fail_fast: bool = True,
    max_workers: int = 1,
    cleanup_keep_last: int = 20,
) -> LocalRunContext:
    _refuse_on_import(flow)
    from dagy.local import run_local  # lazy: DuckDB

    return run_local(
        flow, args, kwargs, fail_fast=fail_fast, max_workers=max_workers, cleanup_keep_last=cleanup_keep_last
    )


def _refuse_on_import(flow: Flow[..., Any]) -> None:
    """A script that starts its flow without a guard would start it again in every place that imports it."""
    file = IMPORTING.get()
    if file is not None:
        raise InvalidFlow(
            f"{file} starts flow '{flow.name}' while it is imported",
            'Put the call under: if __name__ == "__main__":',
        )


def _refuse_lazy_body(name: str, fn: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise InvalidFlow(
            f"Flow '{name}' is {'a generator' if inspect.isgeneratorfunction(fn) else 'an async function'}",
            "A flow's body only says which tasks depend on which: make it a plain function that returns.",
        )


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(
    *,
    name: str | None = None,
    description: str | None = None,
    version: str | None = None,
    retries: int = 0,
    retry_delay_seconds: RetryDelay = None,
    retry_jitter_factor: float | None = None,
    validate_parameters: bool = True,
    on_running: Iterable[HookFunction] | None = None,
    on_completion: Iterable[HookFunction] | None = None,
    on_failure: Iterable[HookFunction] | None = None,
    on_retry: Iterable[HookFunction] | None = None,
    retry_condition_fn: Callable[[Exception], bool] | None = None,
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(fn: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make a flow of a function, bare (`@flow`) or with settings (`@flow(name="daily_etl", version="1.0.0")`).

    - `name`, `description`: instead of the function's name and docstring.
    - `version`: free text without spaces; None is `latest`, or what it is deployed as.
    - `retries`, `retry_delay_seconds`, `retry_jitter_factor`, `retry_condition_fn`: as of `@task`, for the whole flow.
      Another attempt keeps the tasks that are finished; tasks have all their own retries in each.
    - `validate_parameters`: whether parameters are converted to their annotations, and refused if they cannot be.
    - `on_running`, `on_retry`, `on_completion`, `on_failure`: hooks, called in their order with `(RunContext, State)`.

    Raises: InvalidFlow naming the setting and its value; RetryConfigurationError for those of retries.
    """
    return Flow(fn, **settings) if fn is not None else functools.partial(Flow, **settings)
