"""`dagy keys`: the API keys of a stage."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from dagy.core.errors import NotFound
from dagy_cli.changing import Consent, change_options, production_of
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["id", "name", "role", "created_at", "created_by", "expires_at", "revoked_at"]
keys = Group("keys", help="API keys of a stage.")


@keys.command("create", cls=Command)
@click.option("--name", default="cli", show_default=True, help="What the key is for, to tell it from others.")
@click.option(
    "--role", type=click.Choice(["viewer", "developer", "admin"]), help="What it may do.  [default: developer]"
)
@click.option("--admin", is_flag=True, help="Short for --role admin.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Its life.")
@click.option("--never-expires", is_flag=True, help="It lives until it is revoked.")
@click.option(
    "--via-aws", is_flag=True, help="Make it with AWS credentials instead of a key: the way to the first one."
)
@click.option("--stage", help="The stage to make it in, with --via-aws.  [default: the profile's, or dev]")
@click.option("--save-profile", is_flag=True, help="Keep it in the profile, which is written too with --via-aws.")
@change_options
@pass_session
def create(
    session: Session,
    name: str,
    role: str | None,
    admin: bool,
    expires_in_days: int,
    never_expires: bool,
    via_aws: bool,
    stage: str | None,
    save_profile: bool,
    consent: Consent,
) -> None:
    """Make an API key. It is shown once; only its hash is kept.

    \b
    Examples:
      dagy keys create --name ci --role developer
      dagy keys create --name me --admin --via-aws --stage dev --save-profile
    """
    if admin and role not in (None, "admin"):
        raise click.UsageError(f"--admin contradicts --role {role}.")
    if stage and not via_aws:
        raise click.UsageError("--stage goes with --via-aws; without it the profile says where.")
    wanted = {
        "name": name,
        "role": "admin" if admin else role or "developer",
        "expires_in_days": None if never_expires else expires_in_days,
    }
    if consent.is_dry_run:
        session.out.dry_run(wanted, f"Would make the key {name} with the role {wanted['role']}")
        return
    consent.ask(f"Make the key {name} with the role {wanted['role']}", production=_production(session, stage, via_aws))
    if via_aws:
        made, saved_in = _create_via_aws(session, wanted, stage, is_saved=save_profile)
    else:
        made, saved_in = _create_via_api(session, wanted, is_saved=save_profile)
    session.out.item(made, text=f"Saved in profile {saved_in}" if saved_in else str(made["key"]))
    if not saved_in:
        session.out.remark("Keep it now: it is not shown again.")


@keys.command("list", cls=Command)
@pass_session
def list_keys(session: Session) -> None:
    """List all keys, newest first, revoked ones included.

    What a key is for, whose it is and until when it lives; never the key itself, which nobody has but its owner.

    \b
    Examples:
      dagy keys list
      dagy keys list --format csv
    """
    session.out.items((msgspec.to_builtins(key) for key in session.client.iter_keys()), COLUMNS)


@keys.command("revoke", cls=Command)
@click.argument("key_id", metavar="ID")
@change_options
@pass_session
def revoke(session: Session, key_id: str, consent: Consent) -> None:
    """Make a key worthless, for ever.

    Whoever uses it is refused from then on. The key stays in the list as revoked.

    \b
    Examples:
      dagy keys revoke 3f9a1c2b --dry-run
      dagy keys revoke 3f9a1c2b --yes
    """
    if consent.is_dry_run:
        found = next((key for key in session.client.iter_keys() if key.id == key_id), None)
        if found is None:
            raise NotFound("key", key_id, "See: dagy keys list")
        session.out.dry_run(msgspec.to_builtins(found), f"Would revoke {found.id} ({found.name})")
        return
    consent.ask(f"Revoke the key {key_id}", destroys=True, production=session.production)
    revoked = session.client.revoke_key(key_id)
    if revoked.warning:
        session.out.warning(revoked.warning)
    session.out.item(msgspec.to_builtins(revoked), text=f"Revoked {revoked.id} ({revoked.name})")


def _production(session: Session, stage: str | None, is_via_aws: bool) -> str | None:
    """With AWS credentials a key can be made for a stage that has no profile yet: then the stage's name counts."""
    from dagy.config import Profile
    from dagy.deploy.destination import DEFAULT_STAGE

    if not is_via_aws:
        return session.production
    try:
        profile = session.profile
    except NotFound:
        profile = Profile()
    return production_of(profile, stage or profile.stage or DEFAULT_STAGE)


def _create_via_api(session: Session, wanted: dict[str, Any], *, is_saved: bool) -> tuple[dict[str, Any], str | None]:
    from dagy.client.models import KeyCreateRequest
    from dagy.credentials import save_api_key

    profile = session.profile
    if is_saved and profile.name is None:
        raise click.UsageError("There is no profile to keep it in. Make one: dagy config")
    made: dict[str, Any] = msgspec.to_builtins(session.client.create_key(KeyCreateRequest(**wanted)))
    if is_saved and profile.name is not None:
        save_api_key(profile.name, made["key"], api_url=session.client.base_url)
    return made, profile.name if is_saved else None


def _create_via_aws(
    session: Session, wanted: dict[str, Any], stage: str | None, *, is_saved: bool
) -> tuple[dict[str, Any], str | None]:
    from dagy_cli.first_key import mint_with_aws_credentials

    made = mint_with_aws_credentials(session.settings.profile, stage, wanted)
    if not is_saved:
        return made.key, None
    return made.key, made.save_profile(session.settings.profile)
