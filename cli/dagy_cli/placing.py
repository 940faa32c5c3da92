"""Which stage an `infra` command means, and where that stage is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dagy_cli.changing import production_of
from dagy_cli.session import Session

if TYPE_CHECKING:
    from dagy.config import Profile
    from dagy_infra.provision import Place


def place_of(session: Session, stage: str | None, region: str | None, *, is_new: bool = False) -> Place:
    """The stage that was named, else that of the profile that was chosen, else `dev`.

    Only a profile somebody chose by name counts: the default one is often the local cloud's, which nobody means who
    types no name at all. With `is_new` a chosen profile need not exist as long as the stage is named.

    Raises: NotFound for a profile that does not exist; InvalidInput for one without a stage, for a stage that cannot
    be, or with `is_new` for a profile that is another stage's; Unavailable for the local cloud's while it does not run.
    """
    from dagy.aws import Aws  # lazy doors: nobody but `infra` pays for them
    from dagy.config import Profile
    from dagy.core.errors import InvalidInput
    from dagy_infra.provision import Place
    from dagy_infra.stages import DEFAULT_STAGE, LOCAL_STAGE, stage_config

    profile = _chosen(session, may_be_missing=is_new and stage is not None)
    if is_new and profile is not None and profile.name == session.settings.profile and stage and profile.stage != stage:
        raise InvalidInput(
            f"Profile {profile.name} is not of stage {stage} and would be lost",
            "Leave --profile out, or name a new one.",
        )
    if stage is None and profile is not None and profile.stage is None:
        raise InvalidInput(f"Profile {profile.name} names no stage", "Name it: --stage <name>")
    stage = stage or (profile.stage if profile else None) or DEFAULT_STAGE
    if stage == LOCAL_STAGE:
        return _local_place(is_new=is_new)
    if profile is None:
        profile = _written_by_deploy(stage) or Profile()
    is_its_own = profile.stage in (stage, None)
    if not is_its_own and profile.endpoint_url is not None:
        profile = Profile()  # another stage is not in the local cloud
    return Place(stage_config(stage), Aws(region or _region(profile), profile.endpoint_url if is_its_own else None))


def production_name(session: Session, stage: str) -> str | None:
    """As `production_of`, for the profile that was chosen, else the one that the deploy of the stage has written."""
    from dagy.config import Profile

    chosen = _chosen(session, may_be_missing=True)
    return production_of(chosen or _written_by_deploy(stage) or Profile(), stage)


def _chosen(session: Session, *, may_be_missing: bool) -> Profile | None:
    from dagy.config import read_config, resolve_profile

    name = session.settings.profile or os.environ.get("DAGY_PROFILE")
    if not name or (may_be_missing and name not in read_config().profiles):
        return None
    return resolve_profile(name)


def _written_by_deploy(stage: str) -> Profile | None:
    """The profile of the stage's name, when it is the stage's."""
    from dagy.config import read_config

    profile = read_config().profiles.get(stage)
    return profile if profile is not None and profile.stage == stage else None


def _local_place(*, is_new: bool) -> Place:
    from dagy.core.errors import InvalidInput, Unavailable
    from dagy.local.paths import local_dir
    from dagy_infra.local_cloud import LocalCloud

    if is_new:
        raise InvalidInput("Stage 'local' is deployed by the local cloud itself", "Deploy it: dagy local start")
    place = LocalCloud(local_dir()).place()
    if place is None:
        raise Unavailable("The local cloud does not run", "Start it: dagy local start")
    return place


def _region(profile: Profile) -> str:
    """The profile's, else the shell's, else the AWS configuration's, else the default."""
    from dagy.config import DEFAULT_REGION

    if profile.region:
        return profile.region
    if shell := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return shell
    import boto3  # a lazy door: 200 ms that only this case pays

    return boto3.session.Session().region_name or DEFAULT_REGION
