"""Provisions a stage: builds the zips, bootstraps the account and region once, deploys both stacks."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dagy.aws import Aws, translated
from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.sizes import SHAPES, Size
from dagy.manifest import Manifest, read_manifest
from dagy.version import VERSION, is_older
from dagy_infra.assets import build_assets, target_of
from dagy_infra.cdk_cli import Cdk, CdkFailed, Report, app_command, cdk
from dagy_infra.locations import cache_dir
from dagy_infra.stages import StageConfig

_BOOTSTRAP_PARAMETER: Final = "/cdk-bootstrap/hnb659fds/version"
_DIFF_PROGRESS: Final = ("start: ", "success: ", "Hold on while we create a read-only change set")
_BOOTSTRAP_VERSION: Final = 6  # the oldest that the CDK's default synthesizer deploys with


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage is provisioned: a region of an account, or the emulator's, and how to sign for it."""

    stage: StageConfig
    aws: Aws
    work_dir: Path = field(default_factory=lambda: cache_dir() / "cdk-work")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def cdk(self, report: Report) -> Cdk:
        environ = {**self.environ, "AWS_REGION": self.aws.region, "AWS_DEFAULT_REGION": self.aws.region}
        if self.aws.endpoint_url is not None:
            environ["AWS_ENDPOINT_URL"] = self.aws.endpoint_url
        if self.aws.is_on_this_machine:
            for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
                environ.pop(name, None)
            environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return cdk(work_dir=self.work_dir, report=report, environ=environ)

    def context(self) -> list[str]:
        """The `-c` options that make the app synthesise this stage."""
        context = {"stage": self.stage.name, "sizes": ",".join(self.stage.sizes), **self.stage.settings.given()}
        if self.stage.emulator is not None:
            context["emulator"] = self.stage.emulator.endpoint_url
            context["emulator_iam"] = str(self.stage.emulator.enforces_iam).lower()
        return [word for key, value in context.items() for word in ("-c", f"{key}={value}")]


@dataclass(frozen=True, slots=True)
class StackStatus:
    name: str
    status: str | None
    """CloudFormation's word for it; None when there is no such stack."""
    updated_at: str | None = None
    reason: str | None = None


def deploy(place: Place, report: Report, *, progress: Report | None = None) -> Manifest:
    """Bring the stage to what this version of Dagy says. A repeat changes nothing and takes one synth.

    `report` gets the steps, `progress` (by default the same) every resource that was made.
    Raises: CdkFailed when CloudFormation refused; it has rolled back then. What `dagy.aws.translated` raises.
    """
    build_assets(target_of(place.stage), report=report)
    cdk_cli = place.cdk(report)
    _bootstrap_if_needed(place, cdk_cli, report, progress=progress or report)
    report(f"Deploying {place.stage.data_stack} and {place.stage.app_stack}")
    try:
        cdk_cli.run(
            "deploy",
            "--all",
            *("--require-approval", "never", "--progress", "events", "--asset-parallelism"),
            # A change set is what AWS checks before it changes anything; the emulator only takes 10 s longer with one.
            *(("--method", "direct") if place.stage.emulator is not None else ()),
            *("--output", str(_cloud_assembly(place)), *place.context()),
            report=progress or report,
            app=_app(),
        )
    except CdkFailed as error:
        error.hint = hint_for(error.said) or error.hint
        raise
    return read_manifest(place.stage.name, place.aws)


def refuse_downgrade(place: Place) -> None:
    """Raises: Conflict when a newer Dagy has deployed the stage: this one would take away what it does not know."""
    try:
        theirs = read_manifest(place.stage.name, place.aws).stack_version
    except NotFound:
        return
    if is_older(VERSION, than=theirs):
        raise Conflict(
            f"Stage {place.stage.name} was deployed by Dagy {theirs}, which is newer than this, {VERSION}",
            "Upgrade this one: pip install --upgrade dagy. To take the stage back on purpose: --downgrade.",
        )


def standing_sizes(place: Place) -> tuple[Size, ...] | None:
    """The sizes that the stage has now; None when it is not provisioned."""
    try:
        words = read_manifest(place.stage.name, place.aws).sizes
    except NotFound:
        return None
    return tuple(Size) if words is None else tuple(size for size in Size if size.value in words)


def standing_settings(place: Place) -> dict[str, str]:
    """What the stage was told to be like by its last deploy; nothing when it was told nothing, or is not there."""
    ssm = place.aws.client("ssm")
    with translated(f"reading the settings of stage {place.stage.name}"):
        try:
            answer = ssm.get_parameter(Name=place.stage.settings_parameter)
        except ssm.exceptions.ParameterNotFound:
            return {}
    given = json.loads(answer["Parameter"]["Value"])
    return {str(name): str(value) for name, value in given.items()}


def hint_for(said: str) -> str | None:
    """Advice for failures that have a usual cause."""
    limit = re.search(r"'MemorySize' value failed.*?less than or equal to (\d+)", said, re.DOTALL)
    if limit is None:
        return None
    sizes = ",".join(size for size, shape in SHAPES.items() if shape.lambda_memory_mib <= int(limit[1]))
    return (
        f"This AWS account gets at most {limit[1]} MiB for a function, as new ones do. Deploy with --sizes {sizes}, or "
        "ask AWS Support to raise the limit."
    )


def synthesise(place: Place, report: Report) -> Path:
    """Write the templates and return their folder. Asks nothing of AWS."""
    build_assets(target_of(place.stage), report=report)
    folder = _cloud_assembly(place)
    place.cdk(report).run(
        "synth", "--all", "--quiet", "--output", str(folder), *place.context(), report=report, app=_app()
    )
    return folder


def diff(place: Place, report: Report) -> str:
    """What a deploy would change, in the CDK's words."""
    build_assets(target_of(place.stage), report=report)
    arguments = ("--output", str(_cloud_assembly(place)), *place.context())
    said = place.cdk(report).run("diff", *arguments, report=report, app=_app())
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith(_DIFF_PROGRESS))


def status(place: Place) -> list[StackStatus]:
    """Both stacks, in the order they are deployed."""
    return [_stack_status(place, name) for name in (place.stage.data_stack, place.stage.app_stack)]


def provisioned(place: Place) -> list[StackStatus]:
    """As `status`. Raises: NotFound when there is neither stack."""
    stacks = status(place)
    if all(stack.status is None for stack in stacks):
        raise NotFound("stage", f"{place.stage.name} is not provisioned in {where(place)}", _how_to_deploy(place))
    return stacks


def where(place: Place) -> str:
    """For people: whose it is."""
    cloud = " of the local cloud" if place.stage.emulator is not None else ""
    return f"account {account_id(place.aws)}, region {place.aws.region}{cloud}"


def outputs(place: Place) -> dict[str, str]:
    """The outputs of both stacks. Raises: NotFound when the stage is not provisioned."""
    found: dict[str, str] = {}
    for name in (place.stage.data_stack, place.stage.app_stack):
        of_stack = outputs_of(place, name)
        if of_stack is None:
            raise NotFound("stack", f"{name} in {where(place)}", _how_to_deploy(place))
        found |= of_stack
    return dict(sorted(found.items()))


def outputs_of(place: Place, stack: str) -> dict[str, str] | None:
    """None when there is no such stack. Exports between the stacks are left out."""
    described = _describe(place.aws.client("cloudformation"), stack)
    if described is None:
        return None
    found = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return {key: value for key, value in found.items() if not key.startswith(("ExportsOutput", "PublishOutput"))}


def _how_to_deploy(place: Place) -> str:
    is_local = place.stage.emulator is not None
    return f"Provision it: {'dagy local start' if is_local else f'dagy infra deploy --stage {place.stage.name}'}"


def _app() -> list[str]:
    return [shlex.join(app_command())]


def _cloud_assembly(place: Place) -> Path:
    return place.work_dir / f"cdk.out-{place.stage.name}"


def _bootstrap_if_needed(place: Place, cdk_cli: Cdk, report: Report, *, progress: Report) -> None:
    ssm = place.aws.client("ssm")
    with translated("reading the CDK's bootstrap version"):
        try:
            if int(ssm.get_parameter(Name=_BOOTSTRAP_PARAMETER)["Parameter"]["Value"]) >= _BOOTSTRAP_VERSION:
                return
        except ssm.exceptions.ParameterNotFound:
            pass
    account = account_id(place.aws)
    report(f"Bootstrapping account {account}, region {place.aws.region} for the CDK (once)")
    cdk_cli.run("bootstrap", f"aws://{account}/{place.aws.region}", report=progress)


def account_id(aws: Aws) -> str:
    with translated("asking who we are"):
        return str(aws.client("sts").get_caller_identity()["Account"])


def _stack_status(place: Place, name: str) -> StackStatus:
    stack = _describe(place.aws.client("cloudformation"), name)
    if stack is None:
        return StackStatus(name, None)
    changed = stack.get("LastUpdatedTime") or stack.get("CreationTime")
    updated_at = changed.strftime("%Y-%m-%dT%H:%M:%SZ") if changed else None
    return StackStatus(name, stack["StackStatus"], updated_at, stack.get("StackStatusReason"))


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        with translated(f"describing stack {name}"):
            stacks = client.describe_stacks(StackName=name)["Stacks"]
    except InvalidInput as error:
        if "does not exist" in str(error):
            return None
        raise
    return stacks[0] if stacks else None
