"""`dagy deploy`: bring a flow to a stage."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.output import DRY_RUN_REMARK, Output
from dagy_cli.params import pairs
from dagy_cli.session import Session, pass_session
from dagy_cli.several import DepPackages
from dagy_cli.steps import Steps

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.config import Profile
    from dagy.deploy import Candidate, DeployOptions, DeployResult


@click.command("deploy", cls=DepPackages, short_help="Deploy a flow: build, upload, register, schedule.")
@click.argument("target", metavar="ARTIFACT.zip | PATH[:FLOW]", shell_complete=completing.files)
@click.option("--deployment", metavar="NAME", help="What `dagy run` will name.  [default: the flow's name]",
              shell_complete=completing.deployments)  # fmt: skip
@click.option("--flow-name", metavar="NAME", help="The flow the artifact must hold.  [default: read from it]")
@click.option(
    "--flow-version", metavar="VERSION", help="The version to register.  [default: the artifact's, or latest]"
)
@click.option("--namespace", metavar="PATH", help="Groups flows, such as data/ingestion.  [default: the file's folder]")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag. Repeatable; replaces the tags there.")
@click.option("--execution-mode", "modes", multiple=True, metavar="MODE", help="A size (nano … xlarge), an isolation "
              "(in-process, task-isolated), or the option twice for both.",
              shell_complete=completing.execution_modes)  # fmt: skip
@click.option("--schedule", metavar="CRON", help="Run by itself: five cron fields, rate(15 minutes) or at(…).")
@click.option("--timezone", metavar="ZONE", help="The schedule's IANA time zone.  [default: America/New_York]")
@click.option("--no-schedule", is_flag=True, help="Remove the schedule.")
@click.option("--status", metavar="STATUS", help="ACTIVE, or PAUSED: the schedule does not fire.",
              shell_complete=completing.words("ACTIVE", "PAUSED"))  # fmt: skip
@click.option("--default-executor", metavar="EXECUTOR", help="For tasks that name none: lambda, step-functions, ecs.",
              shell_complete=completing.words("lambda", "step-functions", "ecs"))  # fmt: skip
@click.option("--max-concurrent-runs", type=click.IntRange(1), metavar="N", help="More runs than that wait their turn.")
@click.option("--bucket", metavar="NAME", help="Where artifacts go.  [default: the stage's bucket]")
@click.option("--prefix", default="dagy", show_default=True, help="How keys in the bucket begin.")
@click.option("--include", multiple=True, metavar="GLOB", help="Files to add when building. Repeatable.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A build-time parameter. Repeatable.")
@click.option("--dep-packages", multiple=True, metavar="SLUG...", help="Dependency packages to attach, in this order.",
              shell_complete=completing.packages)  # fmt: skip
@click.option("--no-dep-packages", is_flag=True, help="Detach all dependency packages.")
@click.option("--force", is_flag=True, help="Deploy even when the code has not changed.")
@change_options
@pass_session
def deploy(
    session: Session,
    target: str,
    deployment: str | None,
    flow_name: str | None,
    flow_version: str | None,
    namespace: str | None,
    tags: tuple[str, ...],
    modes: tuple[str, ...],
    schedule: str | None,
    timezone: str | None,
    no_schedule: bool,
    status: str | None,
    default_executor: str | None,
    max_concurrent_runs: int | None,
    bucket: str | None,
    prefix: str,
    include: tuple[str, ...],
    params: tuple[str, ...],
    dep_packages: tuple[str, ...],
    no_dep_packages: bool,
    force: bool,
    consent: Consent,
) -> None:
    """Deploy a flow: build it, upload it, register it, and set up the deployment that runs it.

    What is not given stays as it is deployed. A deploy that changes nothing uploads nothing.

    \b
    Examples:
      dagy deploy pipelines/etl.py:daily_etl
      dagy deploy pipelines/etl.py:daily_etl --execution-mode small --schedule "0 6 * * 1-5" --timezone Europe/Athens
      dagy deploy dist/artifact.zip --deployment my-etl --flow-version 1.2.0 --tag team=data --dry-run
      dagy deploy ml/train.py:train --dep-packages A1B2C3D4 X9Y8Z7W6 --execution-mode small
    """
    from dagy.core.sizes import parse_execution_modes
    from dagy.deploy import DeployOptions, S3Store, check, deploy_candidate, schedule_change

    if dep_packages and no_dep_packages:
        raise click.UsageError("--no-dep-packages contradicts --dep-packages.")
    options = DeployOptions(
        deployment=deployment,
        flow_name=flow_name,
        flow_version=flow_version,
        namespace=namespace,
        tags=pairs("tag", tags) if tags else None,
        mode=parse_execution_modes(modes),
        schedule=schedule_change(schedule, timezone, is_removed=no_schedule),
        status=status,
        default_executor=default_executor,
        max_concurrent_runs=max_concurrent_runs,
        packages=dep_packages if dep_packages or no_dep_packages else None,
        prefix=prefix.strip("/"),
        is_forced=force,
    )
    check(options, now=time.time())
    profile, client = session.profile, session.client_or_none
    if not consent.is_dry_run:
        consent.ask(f"Deploy {target}", production=session.production)
    steps = Steps(session.out)
    _say_where(session.out, profile, client)
    candidate = _candidate(target, options, steps, include=include, params=pairs("param", params))
    result = deploy_candidate(
        candidate,
        options,
        store=S3Store(profile, bucket=bucket),
        client=client,
        report=lambda step: steps.done(step.title, step.detail),
        agree=lambda dropped: _agree(session.out, dropped, consent),
        warn=session.out.warning,
        is_dry_run=consent.is_dry_run,
    )
    _say_what_came_of_it(session.out, result, steps)


def _agree(out: Output, dropped: Sequence[str], consent: Consent) -> None:
    """Asks on a terminal only: what runs unattended was decided by whoever wrote it."""
    from dagy.deploy.shipped import named

    are = (
        "1 file of the deployed artifact is"
        if len(dropped) == 1
        else f"{len(dropped)} files of the deployed artifact are"
    )
    out.warning(f"{are} not in this one: {named(dropped)}. They came with --include, which is given anew each time")
    if not consent.is_dry_run and sys.stdin.isatty():
        consent.ask("Deploy without", destroys=True)


def _say_where(out: Output, profile: Profile, client: DagyClient | None) -> None:
    where = client.base_url if client else "no API configured: the artifact is only uploaded"
    out.remark(f"profile {profile.name or '(none)'} · {where}")


def _candidate(
    target: str, options: DeployOptions, steps: Steps, *, include: tuple[str, ...], params: dict[str, str]
) -> Candidate:
    from dagy.deploy import from_flow, from_zip, load
    from dagy.deploy.options import Replace
    from dagy.parameters import coerce_text, describe

    loaded = load(target)
    if isinstance(loaded, Path):
        if include or params:
            raise click.UsageError("--include and --param are for building; the artifact is built already.")
        candidate = from_zip(loaded)
        steps.done("Loaded", f"{target}  {_described(candidate)}")
        steps.done("Checked", "hashes, plan, options")
        return candidate
    steps.done("Loaded", target)
    flow_kwargs = coerce_text(describe(loaded.fn), params)
    steps.done("Checked", "parameters, options" + (", schedule" if isinstance(options.schedule, Replace) else ""))
    version = options.flow_version if loaded.version is None else None  # a pinned one is compared later
    candidate = from_flow(loaded, version=version, include=include, flow_kwargs=flow_kwargs)
    steps.done("Built", f"{candidate.path.name}  {_described(candidate)}")
    return candidate


def _described(candidate: Candidate) -> str:
    spec = candidate.spec
    counts = f"{len(spec.task_runs)} task runs · {len(spec.edges)} edges"
    return (
        f"{spec.name}:{spec.version}  {counts}  {candidate.size_bytes / 1000:.1f} kB · code {candidate.code_hash[:7]}"
    )


def _say_what_came_of_it(out: Output, result: DeployResult, steps: Steps) -> None:
    deployment = result.deployment
    facts = {
        "flow_name": result.flow_name,
        "flow_version": result.flow_version,
        "deployment": result.deployment_name,
        "deployment_version": deployment.deployment_version if deployment else None,
        "skipped": result.skipped,
        "dry_run": result.is_dry_run,
        "changes": list(result.changes),
        "code_hash": result.code_hash,
        "artifact_s3_uri": result.artifact_s3_uri,
        "schedule": deployment.schedule if deployment else None,
        "timezone": deployment.timezone if deployment else None,
        "next_fire_times": deployment.next_fire_times if deployment else [],
    }
    out.item(facts, text=_answer(result))
    if result.is_dry_run:
        out.remark(DRY_RUN_REMARK)
    elif result.is_changed:
        name = result.deployment_name
        out.remark(f"Done in {steps.elapsed_s:.1f}s")
        out.next(f"dagy run {name} --watch", "dagy logs --remote --last --follow")


def _answer(result: DeployResult) -> str:
    flow = f"{result.flow_name}:{result.flow_version}"
    if result.skipped and result.is_changed:
        verb = "would be set up" if result.is_dry_run else "is set up"
        what = f" ({', '.join(result.changes)})" if result.changes else ""
        return (
            f"Deployment {result.deployment_name} {verb} with {flow}{what}.\n"
            f"The code is unchanged (code_hash {result.code_hash[:12]}): nothing to upload."
        )
    if result.skipped:
        return (
            "No code changes detected (code_hash unchanged). Skipping deployment.\n"
            f"Local: {result.code_hash[:12]}...\n"
            f"Remote: {(result.remote_code_hash or '')[:12]}...\n"
            "Use --force to deploy anyway."
        )
    if result.is_dry_run:
        return f"Would deploy to {result.artifact_s3_uri} and register as {flow}"
    registered = f" and registered as {flow}" if result.is_registered else ""
    return f"Deployed to {result.artifact_s3_uri}{registered}"
