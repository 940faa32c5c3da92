"""`dagy infra`: stages in your AWS account. A wrapper around `cdk`, with the right versions and few words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dagy_cli.changing import Consent, change_options
from dagy_cli.lazy import Group
from dagy_cli.placing import place_of, production_name
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy_infra.provision import Place

F = TypeVar("F", bound=Callable[..., Any])
_SIZES_HELP = "The sizes it has functions for, such as nano,micro,small."
_sizes_option = click.option("--sizes", metavar="SIZES", help=f"{_SIZES_HELP}  [default: those it has, else all six]")
_settings_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the stage, such as tracing=true; the stage keeps it until NAME= takes it back. Repeatable.",
)
infra = Group("infra", help="Provision stages in your AWS account.")


def _place_options(function: F) -> F:
    stage = click.option("--stage", metavar="NAME", help="The stage.  [default: the chosen profile's, else dev]")
    region = click.option("--region", metavar="NAME", help="Its region.  [default: its profile's, else your AWS one]")
    return functools.reduce(lambda decorated, option: option(decorated), (region, stage), function)


@infra.command("deploy", cls=Command)
@_place_options
@_sizes_option
@_settings_option
@click.option("--downgrade", is_flag=True, help="Deploy although a newer Dagy has deployed the stage.")
@change_options
@pass_session
def deploy(
    session: Session,
    stage: str | None,
    region: str | None,
    sizes: str | None,
    settings: tuple[str, ...],
    downgrade: bool,
    consent: Consent,
) -> None:
    """Create a stage or bring it up to date, and make a profile for it. A repeat changes nothing.

    It builds the Lambda zips, bootstraps account and region for the CDK when nobody has yet, and deploys the two stacks
    of the stage with your AWS credentials. Flows and runs that are there stay. Stages other than dev are asked about. A
    stage that a newer Dagy has deployed is refused.

    \b
    Examples:
      dagy infra deploy --stage dev
      dagy infra deploy --stage prod --region eu-west-1 --dry-run
      dagy infra deploy --stage dev --sizes nano,micro,small,medium
      dagy infra deploy --stage prod --set alarm_topic_arn=arn:aws:sns:eu-west-1:123456789012:pager
    """
    from dagy.config import write_profile
    from dagy_infra import provision

    new = place_of(session, stage, region, is_new=True)
    if not downgrade:
        provision.refuse_downgrade(new)
    place = _told(new, sizes, settings)
    stage, where = place.stage.name, provision.where(place)
    if consent.is_dry_run:
        changes = provision.diff(place, session.out.remark).rstrip()
        session.out.dry_run({"stage": stage, "where": where, "diff": changes}, changes)
        _warn_of_losses(session, changes)
        return
    production = production_name(session, stage)
    consent.ask(f"Deploy stage {stage} into {where}", destroys=place.stage.is_protected, production=production)
    session.out.remark(f"Deploying stage {stage} into {where}")
    manifest = provision.deploy(place, session.out.remark)
    profile = session.settings.profile or stage
    write_profile(
        profile,
        api_url=manifest.api_url,
        app_url=manifest.app_url,
        stage=stage,
        region=place.aws.region,
        issuer=manifest.issuer,
        client_id=manifest.client_id,
    )
    text = (
        f"Stage {stage} is deployed\n  API      {manifest.api_url}\n  Bucket   {manifest.bucket}\n  Profile  {profile}"
    )
    session.out.item({**asdict(manifest), "profile": profile}, text=text)
    session.out.next(f"dagy keys create --admin --via-aws --profile {profile}")


@infra.command("diff", cls=Command)
@_place_options
@_sizes_option
@_settings_option
@pass_session
def diff(session: Session, stage: str | None, region: str | None, sizes: str | None, settings: tuple[str, ...]) -> None:
    """Show what a deploy would change.

    Nothing is deployed, in the words of `cdk diff`. It needs AWS credentials that may read the stage's stacks.

    \b
    Examples:
      dagy infra diff --stage prod
    """
    from dagy_infra import provision

    place = _told(place_of(session, stage, region), sizes, settings)
    changes = provision.diff(place, session.out.remark).rstrip()
    session.out.item({"stage": place.stage.name, "diff": changes}, text=changes)
    _warn_of_losses(session, changes)


@infra.command("synth", cls=Command)
@_place_options
@click.option("--sizes", metavar="SIZES", help=f"{_SIZES_HELP}  [default: all six]")
@_settings_option
@pass_session
def synth(
    session: Session, stage: str | None, region: str | None, sizes: str | None, settings: tuple[str, ...]
) -> None:
    """Write the CloudFormation templates and say where they are. Needs no AWS credentials.

    Nothing is deployed: the folder is what `cdk deploy --app` takes, or whoever reviews it.

    \b
    Examples:
      dagy infra synth --stage prod
    """
    from dagy_infra import provision

    place = _with_settings(_with_sizes(place_of(session, stage, region), sizes), {}, settings)
    folder = provision.synthesise(place, session.out.remark)
    session.out.item({"folder": str(folder)}, text=str(folder))


@infra.command("status", cls=Command)
@_place_options
@pass_session
def status(session: Session, stage: str | None, region: str | None) -> None:
    """Show how the stacks of a stage are.

    Asks CloudFormation with your AWS credentials; the stage's own API is not asked.

    \b
    Examples:
      dagy infra status --stage dev
      dagy infra status --stage prod --json
    """
    from dagy_infra import provision

    place = place_of(session, stage, region)
    stacks = provision.provisioned(place)
    session.out.remark(f"Stage {place.stage.name} in {provision.where(place)}")
    facts = [{**asdict(stack), "status": stack.status or "NOT_DEPLOYED"} for stack in stacks]
    session.out.items(facts, ["name", "status", "updated_at", "reason"])


@infra.command("outputs", cls=Command)
@_place_options
@pass_session
def outputs(session: Session, stage: str | None, region: str | None) -> None:
    """Show where everything of a stage is.

    These are the outputs of its stacks: the API's URL, the bucket, the table and more.

    \b
    Examples:
      dagy infra outputs --stage dev
      dagy infra outputs --stage dev --format yaml
    """
    from dagy_infra import provision

    session.out.item(provision.outputs(place_of(session, stage, region)))


@infra.command("destroy", cls=Command)
@_place_options
@click.option(
    "--delete-data", is_flag=True, help="Delete the bucket and the table too. Only stages that are not protected."
)
@change_options
@pass_session
def destroy(session: Session, stage: str | None, region: str | None, delete_data: bool, consent: Consent) -> None:
    """Delete a stage's functions, API and schedules. Its bucket and table stay, unless told otherwise.

    With --delete-data they go too, after the stage's name was typed; --yes does not type it. Stages that are protected
    keep their data whatever is asked.

    \b
    Examples:
      dagy infra destroy --stage dev --dry-run
      dagy infra destroy --stage dev --yes
    """
    from dagy_infra import provision, teardown

    place = place_of(session, stage, region)
    provision.provisioned(place)
    stage, where = place.stage.name, provision.where(place)
    kept = [] if delete_data else teardown.kept_by_destroy(place)
    for item in kept:
        session.out.remark(f"Keeps {item.what}: {item.why}.")
    if consent.is_dry_run:
        facts = {"stage": stage, "where": where, "keeps": [item.what for item in kept], "deletes_data": delete_data}
        session.out.dry_run(facts, f"Would delete stack {place.stage.app_stack} of stage {stage} in {where}")
        return
    production = production_name(session, stage)
    deed = f"Delete stack {place.stage.app_stack} of stage {stage} in {where}"
    consent.ask(deed, destroys=True, production=production)
    if delete_data:
        typed = click.prompt(
            f"Every flow and run of stage {stage} in {where} will be gone. Type the stage's name to delete them",
            err=True,
        )
        if typed != stage:
            raise click.Abort
    left = teardown.destroy(place, session.out.remark, delete_data=delete_data)
    answer = {"stage": stage, "left": [stack.name for stack in left]}
    text = f"Deleted stage {stage} in {where}" + (f"; left: {', '.join(answer['left'])}" if left else "")
    session.out.item(answer, text=text)


def _warn_of_losses(session: Session, diff: str) -> None:
    from dagy_infra.losses import losses

    for loss in losses(diff):
        session.out.remark(f"WARNING: a deploy would take away {loss}. Do not deploy this before you have a copy.")


def _told(place: Place, sizes: str | None, settings: tuple[str, ...]) -> Place:
    """With the sizes and settings asked for; what nobody names stays as the stage has it, which may be the default."""
    from dagy_infra.provision import standing_settings, standing_sizes

    if sizes is None and (standing := standing_sizes(place)) is not None:
        place = replace(place, stage=replace(place.stage, sizes=standing))
    is_local = place.stage.emulator is not None
    return _with_settings(_with_sizes(place, sizes), {} if is_local else standing_settings(place), settings)


def _with_sizes(place: Place, given: str | None) -> Place:
    from dagy_infra.stages import parse_sizes

    return place if given is None else replace(place, stage=replace(place.stage, sizes=parse_sizes(given)))


def _with_settings(place: Place, standing: dict[str, str], given: tuple[str, ...]) -> Place:
    from dagy_infra.settings import parse_assignments, parse_settings
    from dagy_infra.stages import with_settings

    settings = parse_settings({**standing, **parse_assignments(given)})
    return replace(place, stage=with_settings(place.stage, settings))
