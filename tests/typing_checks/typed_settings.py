"""What decorators accept. Not run, but read by mypy: an ignore that is not needed is an error."""

from __future__ import annotations

from typing import Final

from dagy import Hook, RunContext, State, completed, failed, flow, running, task

DELAYS: Final = [1, 5, 30]
STATES: list[State] = [running(), completed(), failed("no rows")]


class Notify(Hook):
    def __init__(self, channel: str) -> None:
        self.channel = channel

    def __call__(self, context: RunContext, state: State) -> None:
        print(self.channel, context.kind, context.attempt + 1, state.type.lower(), state.message)


def told(context: RunContext, state: State) -> str:
    return f"{context.parameters['day']}: {state.message}"


def is_transient(error: Exception) -> bool:
    return isinstance(error, OSError)


@task(retry_delay_seconds=5, on_running=[told, Notify("#data")], on_failure=[lambda context, state: None])
def fixed() -> None: ...


@task(retry_delay_seconds=DELAYS, retry_condition_fn=is_transient, executor="ecs", concurrency_limit=2)
def from_a_list_of_ints() -> None: ...


@flow(retry_delay_seconds=lambda attempt: 2.0**attempt, on_retry=(told,), validate_parameters=False)
def from_a_function() -> None: ...


def wrong() -> None:
    task(retries="3")  # type: ignore[call-overload]
    task(retry_delay_seconds="5")  # type: ignore[arg-type]
    task(retry_delay_seconds=["1"])  # type: ignore[list-item]
    task(retry_delay_seconds=lambda: 1.0)  # type: ignore[arg-type,misc]
    task(retry_condition_fn=lambda: True)  # type: ignore[arg-type,misc]
    task(timeout_seconds="60")  # type: ignore[call-overload]
    task(on_failure=[Notify])  # type: ignore[list-item]
    task(on_failure=[lambda state: None])  # type: ignore[list-item,misc]
    task(on_failure=told)  # type: ignore[call-overload]
    task(retires=3)  # type: ignore[call-overload]
    task("name")  # type: ignore[call-overload]
    flow(version=1)  # type: ignore[call-overload]
    flow(timeout_seconds=60)  # type: ignore[call-overload]
