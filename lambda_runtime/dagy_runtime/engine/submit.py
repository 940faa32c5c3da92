"""How a run comes into being: asked for by somebody, or by a schedule.

The order is what makes it safe: first the run is written, then the reconciler's timer is armed, then the first
message is sent. A crash anywhere between leaves a PENDING run that a repeat, or the reconciler, sends on its way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final, Union

from msgspec import Struct

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.names import run_id
from dagy.core.sizes import DEFAULT_ISOLATION, DEFAULT_SIZE, ExecutionMode
from dagy.core.states import Status
from dagy.core.timestamps import to_epoch, to_iso
from dagy.parameters import check_values
from dagy.schedules import parse_schedule
from dagy_runtime.engine.packages import pinned
from dagy_runtime.engine.rescue_timer import arm_reconciler
from dagy_runtime.engine.run_limits import admit, leave
from dagy_runtime.messages import FireSchedule, StartRun
from dagy_runtime.ports import Created, Creation, Existed, Ports
from dagy_runtime.values import Deployment, DeploymentStatus, FlowVersion, PackageRef, Problem, Run, Trigger

BY_MESSAGE: Final = "message"
"""Who asked for runs that came by a message to the control function: IAM knows who sent it, Dagy does not."""
_LOG: Final = logging.getLogger("dagy.engine.submit")


def submit_run(
    ports: Ports,
    *,
    flow: FlowVersion,
    deployment: Deployment | None,
    parameters: Mapping[str, Any],
    mode: ExecutionMode,
    trigger: Trigger,
    requested_by: str | None,
    idempotency_key: str | None = None,
    scheduled_at: str | None = None,
    fail_fast: bool = True,
    max_workers: int = 1,
    tags: Mapping[str, str] | None = None,
    retry_of: str | None = None,
) -> Creation:
    """Make a PENDING run, pinned to the flow's artifact and the deployment's packages as they are now, and start it.

    With `retry_of` it keeps what that run, of the same flow, has done, as far as code and arguments are the same.
    `parameters` are complete and valid: the caller has checked them. What `mode` leaves open, the deployment says.
    A repeat with the same idempotency key gives the first call's run; while that is PENDING its message is sent
    again, which is harmless, because a run can be claimed only once.

    Raises: NotFound for a package that is gone. Conflict when the key was used for another request. Unavailable: the
    run may exist already, and is started within two minutes if it does; repeat with the same key to find out.
    """
    now = to_iso(ports.clock.now())
    run = _new_run(
        run_id(flow.name, now, ports.ids.unique()[-8:].lower()),
        created_at=now,
        flow=flow,
        deployment=deployment,
        parameters=parameters,
        mode=mode,
        trigger=trigger,
        requested_by=requested_by,
        scheduled_at=scheduled_at,
        fail_fast=fail_fast,
        max_workers=max_workers,
        tags=tags,
        packages=pinned(ports.packages, deployment.packages if deployment else ()),
        retry_of=retry_of,
    )
    creation = ports.runs.create_run(run, idempotency_key=idempotency_key)
    _start(ports, creation.run)
    return creation


class Fired(Struct, frozen=True):
    """`creation` says whether this delivery made the run, or an earlier one had."""

    creation: Creation


class NotFired(Struct, frozen=True):
    """Nothing was written. `reason` is one of the words below, for a counter."""

    reason: str


def fire_schedule(ports: Ports, message: FireSchedule) -> Fired | NotFired:
    """One run per deployment and nominal time, however often the message comes.

    A schedule that fires for a deployment that is gone, paused or has no schedule any more is late news, not an error.
    Parameters that do not fit the flow, or a package that is gone, make a FAILED run that says so: a schedule that
    misfires must be seen.

    Raises: NotFound when the deployment's flow version does not exist.
    """
    deployment = ports.registry.get_deployment(message.deployment)
    reason = _reason_not_to_fire(deployment)
    nominal_at = None
    if deployment is not None and reason is None:
        nominal_at = _nominal_time(ports, deployment, message.scheduled_at)
        reason = None if nominal_at else "no_nominal_time"
    if deployment is None or nominal_at is None or reason is not None:
        _LOG.warning("schedule_not_fired deployment=%s reason=%s", message.deployment, reason)
        return NotFired(str(reason))

    flow = ports.registry.get_flow(deployment.flow_name, deployment.flow_version)
    if flow is None:
        raise NotFound("flow", f"{deployment.flow_name} {deployment.flow_version}")
    parameters, misfit = _checked(flow, deployment.parameters, "Change the deployment's parameters.")
    packages, missing = _pinned(ports, deployment)
    misfit = misfit or missing
    run = _new_run(
        scheduled_run_id(flow.name, deployment.name, nominal_at),
        created_at=to_iso(ports.clock.now()),
        flow=flow,
        deployment=deployment,
        parameters=parameters,
        mode=ExecutionMode(),
        trigger=Trigger.SCHEDULE,
        requested_by=None,
        scheduled_at=nominal_at,
        fail_fast=True,
        max_workers=1,
        tags=None,
        packages=packages,
    )
    return Fired(_begin(ports, run, misfit))


def start_run(ports: Ports, message: StartRun, *, delivery_id: str) -> Creation:
    """One run per deployment and idempotency key, however often the message comes; a paused deployment runs too, since
    somebody asked for it. Parameters are the deployment's, and over them the message's; a misfit makes a FAILED run.

    Raises: NotFound when there is no such deployment, or its flow version is gone.
    """
    deployment = ports.registry.get_deployment(message.deployment)
    if deployment is None:
        raise NotFound("deployment", message.deployment)
    flow = ports.registry.get_flow(deployment.flow_name, deployment.flow_version)
    if flow is None:
        raise NotFound("flow", f"{deployment.flow_name} {deployment.flow_version}")
    given = {**deployment.parameters, **message.parameters}
    parameters, misfit = _checked(flow, given, "Send others, or change the deployment's.")
    packages, missing = _pinned(ports, deployment)
    misfit = misfit or missing
    now = to_iso(ports.clock.now())
    run = _new_run(
        run_id(flow.name, now, ports.ids.unique()[-8:].lower()),
        created_at=now,
        flow=flow,
        deployment=deployment,
        parameters=parameters,
        mode=ExecutionMode(),
        trigger=Trigger.MANUAL,
        requested_by=BY_MESSAGE,
        scheduled_at=None,
        fail_fast=True,
        max_workers=1,
        tags=None,
        packages=packages,
    )
    key = f"{BY_MESSAGE}:{deployment.name}:{message.idempotency_key or delivery_id}"
    return _begin(ports, run, misfit, idempotency_key=key)


def _begin(ports: Ports, run: Run, misfit: Problem | None, *, idempotency_key: str | None = None) -> Creation:
    """Make the run and start it, or end it where it is with what does not fit: a call nobody waits for must be seen."""
    creation = ports.runs.create_run(run, idempotency_key=idempotency_key)
    if misfit is None:
        _start(ports, creation.run)
        return creation
    ended = ports.runs.finish_run(
        creation.run.id, owner=None, status=Status.FAILED, ended_at=to_iso(ports.clock.now()), problem=misfit
    )
    if ended is None:
        return Existed(creation.run)
    leave(ports, ended)
    return Created(ended) if isinstance(creation, Created) else Existed(ended)


def scheduled_run_id(flow_name: str, deployment: str, nominal_at: str) -> str:
    """The same for the same deployment and nominal time, which is what makes five deliveries one run."""
    digest = hashlib.sha256(f"{deployment}|{nominal_at}".encode()).hexdigest()
    return run_id(flow_name, nominal_at, digest[:10])


def _new_run(
    new_id: str,
    *,
    created_at: str,
    flow: FlowVersion,
    deployment: Deployment | None,
    parameters: Mapping[str, Any],
    mode: ExecutionMode,
    trigger: Trigger,
    requested_by: str | None,
    scheduled_at: str | None,
    fail_fast: bool,
    max_workers: int,
    tags: Mapping[str, str] | None,
    packages: tuple[PackageRef, ...],
    retry_of: str | None = None,
) -> Run:
    return Run(
        id=new_id,
        flow_name=flow.name,
        flow_version=flow.version,
        artifact=flow.artifact,
        size=mode.size or (deployment.size if deployment else DEFAULT_SIZE),
        isolation=mode.isolation or (deployment.isolation if deployment else DEFAULT_ISOLATION),
        parameters=dict(parameters),
        trigger=trigger,
        created_at=created_at,
        status=Status.PENDING,
        deployment=deployment.name if deployment else None,
        fail_fast=fail_fast,
        max_workers=max_workers,
        scheduled_at=scheduled_at,
        requested_by=requested_by,
        tags={**(deployment.tags if deployment else {}), **(tags or {})},
        packages=packages,
        max_concurrent_runs=deployment.max_concurrent_runs if deployment else None,
        default_executor=deployment.default_executor if deployment else None,
        retry_of=retry_of,
    )


def _start(ports: Ports, run: Run) -> None:
    if run.status is Status.PENDING:
        arm_reconciler(ports)
        admit(ports, run)


def _reason_not_to_fire(deployment: Deployment | None) -> str | None:
    if deployment is None:
        return "deployment_gone"
    if deployment.status is DeploymentStatus.PAUSED:
        return "deployment_paused"
    if deployment.schedule is None:
        return "deployment_without_schedule"
    return None


def _nominal_time(ports: Ports, deployment: Deployment, scheduled_at: str) -> str | None:
    """ISO, to the second. An emulator leaves EventBridge's placeholder (`<aws.scheduler.scheduled-time>`) as it is;
    then the schedule itself says which of its times has come.
    """
    if not scheduled_at.startswith("<"):
        return to_iso(to_epoch(scheduled_at))
    if deployment.schedule is None:
        return None
    schedule = parse_schedule(deployment.schedule.expression, deployment.schedule.timezone)
    latest = schedule.latest_time(ports.clock.now())
    return to_iso(latest.timestamp()) if latest else None


def _checked(flow: FlowVersion, given: Mapping[str, Any], advice: str) -> tuple[Mapping[str, Any], Problem | None]:
    try:
        return check_values(flow.spec.parameters, given), None
    except InvalidInput as error:
        hint = f" {error.hint}" if error.hint else ""
        return given, Problem(type(error).__name__, f"{error}. {advice}{hint}")


def _pinned(ports: Ports, deployment: Deployment) -> tuple[tuple[PackageRef, ...], Problem | None]:
    try:
        return pinned(ports.packages, deployment.packages), None
    except NotFound as error:
        return (), Problem("PackageGone", f"{error}. {error.hint}")


Firing = Union[Fired, NotFired]
