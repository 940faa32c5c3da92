"""What a deployment becomes: decided here, from what stands, what is asked and the flow it points to, before
anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Union

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from dagy.client.models import DeploymentRequest, DeploymentSettingsRequest
from dagy.core.errors import InvalidInput, InvalidSchedule, UnknownParameter
from dagy.core.offer import Offer
from dagy.core.sizes import (
    DEFAULT_ISOLATION,
    DEFAULT_SIZE,
    ExecutionMode,
    Executor,
    Isolation,
    parse_execution_modes,
)
from dagy.core.slugs import checked_slug
from dagy.core.timestamps import to_iso
from dagy.parameters import check_values
from dagy.schedules import DEFAULT_TIMEZONE, checked_timezone, parse_schedule
from dagy_runtime.api.checks import checked_tags
from dagy_runtime.values import Deployment, DeploymentStatus, FlowVersion, ScheduleSpec

_SAME_MODE: Final = ExecutionMode()


class Change(Struct, frozen=True):
    """What is asked of a deployment. UNSET leaves a setting as it is; None clears it."""

    schedule: Union[str, UnsetType, None] = UNSET
    timezone: Union[str, UnsetType, None] = UNSET
    status: Union[str, UnsetType] = UNSET
    mode: ExecutionMode = _SAME_MODE
    default_executor: Union[str, UnsetType, None] = UNSET
    parameters: Union[Mapping[str, Any], UnsetType, None] = UNSET
    tags: Union[Mapping[str, str], UnsetType, None] = UNSET
    packages: Union[Sequence[str], UnsetType, None] = UNSET
    max_concurrent_runs: Union[int, UnsetType, None] = UNSET


def asked_by_deploy(request: DeploymentRequest) -> Change:
    """A deploy names the schedule or there is none; everything else it leaves out stays."""

    def given(value: Any) -> Any:
        return UNSET if value is None else value

    return Change(
        schedule=request.schedule,
        timezone=given(request.timezone),
        status=given(request.status),
        mode=read_mode(request.execution_mode, request.isolation),
        default_executor=given(request.default_executor),
        parameters=given(request.parameters),
        tags=given(request.tags),
        packages=given(request.packages),
        max_concurrent_runs=given(request.max_concurrent_runs),
    )


def asked_by_settings(request: DeploymentSettingsRequest) -> Change:
    def words(value: Any) -> Any:
        return None if value is UNSET else value

    return Change(
        schedule=request.schedule,
        timezone=request.timezone,
        status=request.status,
        mode=read_mode(words(request.execution_mode), words(request.isolation)),
        default_executor=request.default_executor,
        parameters=request.parameters,
        tags=request.tags,
        packages=request.packages,
        max_concurrent_runs=request.max_concurrent_runs,
    )


def asked_by_rollback(version: Deployment) -> Change:
    """Everything as it was, except whether it is paused: that says how things are now."""
    schedule = version.schedule
    return Change(
        schedule=schedule.expression if schedule else None,
        timezone=schedule.timezone if schedule else None,
        mode=ExecutionMode(version.size, version.isolation),
        default_executor=version.default_executor.value if version.default_executor else None,
        parameters=version.parameters,
        tags=version.tags,
        packages=version.packages,
        max_concurrent_runs=version.max_concurrent_runs,
    )


def read_mode(execution_mode: str | Sequence[str] | None, isolation: str | None = None) -> ExecutionMode:
    """Raises: InvalidInput naming the word that is none, or the two that contradict each other."""
    words = (execution_mode,) if isinstance(execution_mode, str) else tuple(execution_mode or ())
    if isolation is not None and isolation not in Isolation._value2member_map_:
        raise InvalidInput(f"Unknown isolation {isolation[:50]!r}", f"One of {', '.join(Isolation)}.")
    return parse_execution_modes((*words, *([isolation] if isolation is not None else [])))


def decide(
    current: Deployment | None, change: Change, *, name: str, flow: FlowVersion, offer: Offer, now: float, by: str
) -> Deployment:
    """The deployment to store; its `deployment_version` is still the current one's.

    A size that the stage has no more may stay, or a deployment that has it could not even be paused.

    Raises: InvalidInput (or one of its kinds) for the first setting that cannot be.
    """
    base = current or _new(name, flow, now)
    planned = replace(
        base,
        flow_name=flow.name,
        flow_version=flow.version,
        updated_at=to_iso(now),
        status=base.status if isinstance(change.status, UnsetType) else _status(change.status),
        size=change.mode.size or base.size,
        isolation=change.mode.isolation or base.isolation,
        schedule=_schedule(base.schedule, change, now),
        default_executor=_chosen(base.default_executor, change.default_executor, _executor, None),
        tags=_chosen(base.tags, change.tags, checked_tags, {}),
        parameters=_chosen(base.parameters, change.parameters, dict, {}),
        packages=_chosen(base.packages, change.packages, _slugs, ()),
        max_concurrent_runs=_chosen(base.max_concurrent_runs, change.max_concurrent_runs, int, None),
        artifact_sha256=flow.artifact.sha256,
        updated_by=by,
    )
    if current is None or change.mode.size is not None:
        offer.check_size(planned.size)
    offer.check_settings(planned.isolation, planned.default_executor, packages=planned.packages)
    offer.check_tasks(flow.spec, planned.isolation)
    offer.check_run_limit(planned.max_concurrent_runs)
    _check_parameters(planned, flow)
    return planned


def _new(name: str, flow: FlowVersion, now: float) -> Deployment:
    return Deployment(
        name=name,
        flow_name=flow.name,
        flow_version=flow.version,
        deployment_version=0,
        status=DeploymentStatus.ACTIVE,
        size=DEFAULT_SIZE,
        isolation=DEFAULT_ISOLATION,
        created_at=to_iso(now),
        updated_at=to_iso(now),
    )


def _chosen(current: Any, asked: Any, read: Any, cleared: Any) -> Any:
    if asked is UNSET:
        return current
    return cleared if asked is None else read(asked)


def _slugs(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(checked_slug, texts))


def _status(word: str) -> DeploymentStatus:
    if word not in DeploymentStatus._value2member_map_:
        raise InvalidInput(f"Unknown status {word[:50]!r}", f"One of {', '.join(DeploymentStatus)}.")
    return DeploymentStatus(word)


def _executor(word: str) -> Executor:
    if word not in Executor._value2member_map_:
        raise InvalidInput(f"Unknown executor {word[:50]!r}", f"One of {', '.join(Executor)}.")
    return Executor(word)


def _schedule(current: ScheduleSpec | None, change: Change, now: float) -> ScheduleSpec | None:
    expression = _chosen(current.expression if current else None, change.schedule, str, None)
    zone = _chosen(current.timezone if current else DEFAULT_TIMEZONE, change.timezone, str, DEFAULT_TIMEZONE)
    if expression is None:
        checked_timezone(zone)
        return None
    schedule = parse_schedule(expression, zone)
    planned = ScheduleSpec(schedule.expression, zone)
    # One that has fired for the last time may stay; it may not be set anew.
    if planned != current and not schedule.next_times(now, 1):
        raise InvalidSchedule(f"Schedule {expression!r} lies in the past in {zone}", "Give a time that is to come.")
    return planned


def _check_parameters(planned: Deployment, flow: FlowVersion) -> None:
    """Defaults may be partial while people give the rest; a schedule gives nothing, so it needs them whole."""
    known = tuple(parameter["name"] for parameter in flow.spec.parameters)
    for name in planned.parameters:
        if name not in known:
            raise UnknownParameter(name, known)
    relevant = [p for p in flow.spec.parameters if planned.schedule is not None or p["name"] in planned.parameters]
    check_values(relevant, planned.parameters)
