"""`dagy infra`: stages in your AWS account. A wrapper around `cdk`, with the right versions and few words."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy_infra.provision import Place

F = TypeVar("F", bound=Callable[..., Any])
_SIZES_HELP = "The sizes it has functions for, such as nano,micro,small."
_sizes_option = click.option("--sizes", metavar="SIZES", help=f"{_SIZES_HELP}  [default: those it has, else all six]")
infra = Group("infra", help="Provision stages in your AWS account.")


def _place_options(function: F) -> F:
    stage = click.option("--stage", default="dev", show_default=True, help="The stage.")
    region = click.option("--region", metavar="NAME", help="Its region.  [default: its profile's, else your AWS one]")
    return functools.reduce(lambda decorated, option: option(decorated), (region, stage), function)


@infra.command("deploy", cls=Command)
@_place_options
@_sizes_option
@click.option("--yes", is_flag=True, help="Do not ask before a stage other than dev is changed.")
@pass_session
def deploy(session: Session, stage: str, region: str | None, sizes: str | None, yes: bool) -> None:
    """Create a stage or bring it up to date, and make a profile for it. A repeat changes nothing."""
    from dagy.config import write_profile
    from dagy_infra import provision

    place = _sized(_place(session, stage, region), sizes)
    account = provision.account_id(place.aws)
    where = f"account {account}, region {place.aws.region}"
    if place.stage.is_protected:
        session.confirm(f"Deploy stage {stage} into {where}?", is_yes=yes)
    session.out.remark(f"Deploying stage {stage} into {where}")
    manifest = provision.deploy(place, session.out.remark)
    profile = session.settings.profile or stage
    write_profile(profile, api_url=manifest.api_url, app_url=manifest.app_url, stage=stage, region=place.aws.region)
    text = (
        f"Stage {stage} is deployed\n  API      {manifest.api_url}\n  Bucket   {manifest.bucket}\n  Profile  {profile}"
    )
    session.out.item({**asdict(manifest), "profile": profile}, text=text)
    session.out.remark(f"Next: dagy keys create --admin --via-aws --profile {profile}")


@infra.command("diff", cls=Command)
@_place_options
@_sizes_option
@pass_session
def diff(session: Session, stage: str, region: str | None, sizes: str | None) -> None:
    """Show what a deploy would change."""
    from dagy_infra import provision

    place = _sized(_place(session, stage, region), sizes)
    session.out.answer(provision.diff(place, session.out.remark).rstrip())


@infra.command("synth", cls=Command)
@_place_options
@click.option("--sizes", metavar="SIZES", help=f"{_SIZES_HELP}  [default: all six]")
@pass_session
def synth(session: Session, stage: str, region: str | None, sizes: str | None) -> None:
    """Write the CloudFormation templates and say where they are. Needs no AWS credentials."""
    from dagy_infra import provision
    from dagy_infra.stages import parse_sizes, stage_config

    place = _place(session, stage, region)
    if sizes is not None:
        place = replace(place, stage=stage_config(stage, sizes=parse_sizes(sizes)))
    folder = provision.synthesise(place, session.out.remark)
    session.out.item({"folder": str(folder)}, text=str(folder))


@infra.command("status", cls=Command)
@_place_options
@pass_session
def status(session: Session, stage: str, region: str | None) -> None:
    """Show how the stacks of a stage are."""
    from dagy_infra import provision

    stacks = [asdict(stack) for stack in provision.status(_place(session, stage, region))]
    session.out.items(stacks, ["name", "status", "updated_at", "reason"])


@infra.command("outputs", cls=Command)
@_place_options
@pass_session
def outputs(session: Session, stage: str, region: str | None) -> None:
    """Show where everything of a stage is."""
    from dagy_infra import provision

    session.out.item(provision.outputs(_place(session, stage, region)))


@infra.command("destroy", cls=Command)
@_place_options
@click.option(
    "--delete-data", is_flag=True, help="Delete the bucket and the table too. Only stages that are not protected."
)
@click.option("--yes", is_flag=True, help="Do not ask. Data are deleted only when their stage's name is typed.")
@pass_session
def destroy(session: Session, stage: str, region: str | None, delete_data: bool, yes: bool) -> None:
    """Delete a stage's functions, API and schedules. Its bucket and table stay, unless told otherwise."""
    from dagy_infra import teardown

    place = _place(session, stage, region)
    kept = [] if delete_data else teardown.kept_by_destroy(place)
    for item in kept:
        session.out.remark(f"Keeps {item.what}: {item.why}.")
    session.confirm(f"Delete stack {place.stage.app_stack} in {place.aws.region}?", is_yes=yes)
    if delete_data:
        typed = click.prompt(
            f"Every flow and run of stage {stage} will be gone. Type its name to delete them", err=True
        )
        if typed != stage:
            raise click.Abort
    left = teardown.destroy(place, session.out.remark, delete_data=delete_data)
    answer = {"stage": stage, "left": [stack.name for stack in left]}
    session.out.item(
        answer, text=f"Deleted stage {stage}" + ("" if not left else f"; left: {', '.join(answer['left'])}")
    )


def _place(session: Session, stage: str, region: str | None) -> Place:
    from dagy.aws import Aws
    from dagy_infra.provision import Place
    from dagy_infra.stages import stage_config

    return Place(stage_config(stage), Aws(region or _region(session, stage)))


def _sized(place: Place, given: str | None) -> Place:
    """With the sizes asked for, else those that the stage has, else all."""
    from dagy_infra.provision import standing_sizes
    from dagy_infra.stages import parse_sizes, stage_config

    sizes = parse_sizes(given) if given is not None else standing_sizes(place)
    return place if sizes is None else replace(place, stage=stage_config(place.stage.name, sizes=sizes))


def _region(session: Session, stage: str) -> str:
    """The region in the stage's profile, else the shell's or the AWS configuration's, else the default."""
    from dagy.config import DEFAULT_REGION, read_config

    profile = read_config().profiles.get(session.settings.profile or stage)
    if profile is not None and profile.region:
        return profile.region
    if shell := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return shell
    import boto3  # a lazy door: 200 ms that only this case pays

    return boto3.session.Session().region_name or DEFAULT_REGION
