"""A whole deploy: look at what is there, plan, carry out, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.core.errors import APIError
from dagy.deploy.candidate import Candidate
from dagy.deploy.carry_out import Doer, Executor, Report, Shower, StepDone
from dagy.deploy.comparing import FileChanges, compare_files
from dagy.deploy.destination import Store
from dagy.deploy.offering import check_offer, check_role, offer_of
from dagy.deploy.options import DeployOptions, check
from dagy.deploy.packages import check_packages, find_packages, missing
from dagy.deploy.plan import Deployed, Plan, Register, Upload, make_plan, target_version
from dagy.schedules import parse_schedule

T = TypeVar("T")
NEXT_TIMES = 2


@dataclass(frozen=True, slots=True)
class DeployResult:
    """What a deploy came to. `skipped`: the code was deployed already, so nothing was uploaded; with `is_changed` the
    deployment was created or its settings changed all the same. `remote_code_hash` is what was deployed before.
    """

    flow_name: str
    flow_version: str
    deployment_name: str
    skipped: bool
    code_hash: str
    remote_code_hash: str | None
    changes: tuple[str, ...]
    is_registered: bool
    is_changed: bool
    is_dry_run: bool = False
    artifact_s3_uri: str | None = None
    deployment: m.DeploymentResponse | None = None


def deploy_candidate(
    candidate: Candidate,
    options: DeployOptions,
    *,
    store: Store,
    client: DagyClient | None,
    report: Report = lambda step: None,
    agree: Callable[[Sequence[str]], object] = lambda dropped: None,
    warn: Callable[[str], object] = lambda text: None,
    is_dry_run: bool = False,
    now: Callable[[], float] = time.time,
) -> DeployResult:
    """Make what is deployed equal to the candidate and the options, doing only what is needed.

    Without a client only the artifact is uploaded. A repeat changes nothing. Two deploys at once: flow and deployment
    end as one of them left them.

    `agree` is told of data files that would not be deployed any more, and may raise to prevent it. `warn` is
    told of imports that neither the runtimes nor the attached packages have.

    Raises: InvalidInput, InvalidFlow, ArtifactMismatch and Forbidden before anything was written, also for what this
    stage does not have; APIError, and what `dagy.aws.translated` raises, with the steps reported so far done.
    """
    check(options, now=now())
    deployed = _look(candidate, options, client)
    plan = make_plan(candidate, deployed, options)
    packages: list[m.PackageResponse] = []
    if client is not None and plan.steps and (answer := _if_there(client.stage)):
        check_offer(offer_of(answer), candidate, plan)
        packages = find_packages(client, plan.settings["packages"])
        check_packages(packages, offer_of(answer), plan.settings["execution_mode"])
    for text in missing(candidate, packages) if plan.steps else ():
        warn(text)
    if client is not None and plan.steps and not is_dry_run:
        check_role(client.whoami())
    before = deployed.flow or deployed.previous
    is_uploaded = any(isinstance(step, Upload) for step in plan.steps)
    files = compare_files(candidate, before, store) if before is not None and is_uploaded else FileChanges()
    changes = (*plan.changes, *files.changes)
    if changes:
        report(StepDone("Changed", " · ".join(changes)))
    if files.dropped:
        agree(files.dropped)
    executor: Executor = Shower(store) if is_dry_run else Doer(store, client)
    outcome = executor.carry_out(plan, candidate, report)
    if client is not None and plan.schedule is not None:
        report(StepDone("Schedule", schedule_text(plan, now())))
    return DeployResult(
        flow_name=plan.flow_name,
        flow_version=plan.flow_version,
        deployment_name=plan.deployment,
        skipped=not is_uploaded,
        is_changed=bool(plan.steps),
        code_hash=candidate.code_hash,
        remote_code_hash=before.code_hash if before else None,
        changes=changes,
        is_registered=client is not None and any(isinstance(step, Register) for step in plan.steps),
        is_dry_run=is_dry_run,
        artifact_s3_uri=outcome.artifact_s3_uri or (deployed.flow.artifact_s3_uri if deployed.flow else None),
        deployment=outcome.deployment or deployed.deployment,
    )


def schedule_text(plan: Plan, now: float) -> str:
    """The schedule as it will stand and when it fires next, in its own zone. The plan has one."""
    if plan.schedule is None:
        return "none"
    expression, zone = plan.schedule
    if plan.settings["status"] == "PAUSED":
        return f"{expression} {zone} · paused"
    times = parse_schedule(expression, zone).next_times(now, NEXT_TIMES)
    local = [moment.astimezone(ZoneInfo(zone)).strftime("%a %d %b %H:%M %Z") for moment in times]
    return f"{expression} {zone} · " + (f"next: {', '.join(local)}" if local else "it fires no more")


def _look(candidate: Candidate, options: DeployOptions, client: DagyClient | None) -> Deployed:
    """What is deployed now. Two or three requests."""
    name, version = target_version(candidate, options)
    if client is None:
        return Deployed()
    deployment = _if_there(lambda: client.get_deployment(options.deployment or name))
    flow = _if_there(lambda: client.get_flow(name, version))
    if flow is not None and flow.flow_version == version:
        return Deployed(flow, flow, deployment)
    if deployment is not None and deployment.flow_name == name:
        old_version = deployment.flow_version
        return Deployed(None, _if_there(lambda: client.get_flow(name, old_version)), deployment)
    return Deployed(None, _if_there(lambda: client.get_latest_flow(name)), deployment)


def _if_there(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except APIError as error:
        if error.status_code == 404:
            return None
        raise
