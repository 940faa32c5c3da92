"""`dagy config`: the profiles, shown, asked for, or set from a script."""

from __future__ import annotations

from dataclasses import asdict

import click

from dagy_cli.changing import Consent, change_options
from dagy_cli.completing import profiles
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command, settings_of

COLUMNS = ["name", "api_url", "stage", "region", "table_format", "last_updated", "default"]


@click.group("config", cls=Group, helps_alone=False, short_help="Profiles: which environment commands talk to.")
@click.pass_context
def config(ctx: click.Context) -> None:
    """Profiles: which environment commands talk to.

    Alone, it asks: which profile to create, edit, delete or make the default one. Scripts use the commands below.

    \b
    Examples:
      dagy config
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    if settings.is_machine_read:
        raise click.UsageError("dagy config alone asks questions; for scripts there are its commands.", ctx)
    from dagy_cli.wizard import run_wizard

    run_wizard(settings.profile)


@config.command("show", cls=Command)
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@pass_session
def show(session: Session, origin: bool) -> None:
    """Show the settings in force.

    They are those of the profile that commands use now, and what the environment changes of them. With --origin also
    where each comes from: a flag, a variable, the file, or nobody.

    \b
    Examples:
      dagy config show
      dagy config show --origin --profile prod
    """
    from dagy.explain import explain

    settings = explain(session.settings.profile)
    if origin:
        session.out.items([asdict(setting) for setting in settings], ["name", "value", "origin"])
    else:
        session.out.item({setting.name: setting.value for setting in settings})


@config.command("list", cls=Command)
@pass_session
def list_profiles(session: Session) -> None:
    """List all profiles. API keys are not shown.

    \b
    Examples:
      dagy config list
      dagy config list --json
    """
    from dagy.config import read_config

    known = read_config()
    rows = [{**asdict(p), "default": name == known.default_profile} for name, p in known.profiles.items()]
    session.out.items(rows, COLUMNS)


@config.command("set", cls=Command)
@click.argument("name", shell_complete=profiles)
@click.option("--api-url", metavar="URL", help="Where its API is.")
@click.option("--app-url", metavar="URL", help="Where its web app is.")
@click.option("--table-format", metavar="FORMAT", help="How tables look: a format of tabulate.")
@click.option("--stage", help="The stage it points to.")
@click.option("--region", help="The AWS region of the stage.")
@click.option("--endpoint-url", metavar="URL", help="Where AWS is, when it is an emulator.")
@click.option(
    "--confirm/--no-confirm",
    default=None,
    help="Whether changing its stage asks for the profile's name.  [default: when one is named prod or production]",
)
@click.option("--issuer", metavar="URL", help="Who signs users in, when codes are exchanged for tokens.")
@click.option("--client-id", metavar="ID", help="What this command line is called there.")
@click.option("--default", "is_default", is_flag=True, help="Make it the default profile.")
@pass_session
def set_profile(
    session: Session,
    name: str,
    api_url: str | None,
    app_url: str | None,
    table_format: str | None,
    stage: str | None,
    region: str | None,
    endpoint_url: str | None,
    confirm: bool | None,
    issuer: str | None,
    client_id: str | None,
    is_default: bool,
) -> None:
    """Create a profile, or change what is given of it. What is not given stays.

    The first profile becomes the default one. For answering questions instead, see `dagy config` alone.

    \b
    Examples:
      dagy config set dev --api-url https://api.dev.example.com
      dagy config set prod --api-url https://api.example.com --table-format plain --confirm
    """
    from dagy.config import write_profile

    profile = write_profile(
        name,
        api_url=api_url,
        app_url=app_url,
        table_format=_known_format(table_format) if table_format else None,
        stage=stage,
        region=region,
        endpoint_url=endpoint_url,
        confirm=confirm,
        issuer=issuer,
        client_id=client_id,
        is_default=is_default,
    )
    session.out.item(asdict(profile), text="Configuration saved.")


@config.command("use", cls=Command)
@click.argument("name", shell_complete=profiles)
@pass_session
def use(session: Session, name: str) -> None:
    """Make a profile the default one. It is used where neither --profile nor DAGY_PROFILE names another.

    \b
    Examples:
      dagy config use dev
    """
    from dagy.config import set_default_profile

    set_default_profile(name)
    session.out.item({"default_profile": name}, text=f"Default profile: {name}")


@config.command("delete", cls=Command)
@click.argument("name", shell_complete=profiles)
@change_options
@pass_session
def delete(session: Session, name: str, consent: Consent) -> None:
    """Forget a profile and its API key. The stage it points to stays, and so does the key until it is revoked.

    \b
    Examples:
      dagy config delete staging --dry-run
      dagy config delete staging --yes
    """
    from dagy.config import delete_profile, resolve_profile

    if consent.is_dry_run:
        found = resolve_profile(name)
        session.out.dry_run({"name": found.name, "deleted": False}, f"Would delete {found.name}")
        return
    consent.ask(f"Forget the profile {name} and its API key", destroys=True)
    delete_profile(name)
    session.out.item({"name": name, "deleted": True}, text=f"Deleted {name}")


def _known_format(name: str) -> str:
    from tabulate import tabulate_formats

    from dagy.core.errors import InvalidInput
    from dagy.core.names import did_you_mean

    if name not in tabulate_formats:
        meant = did_you_mean(name, tabulate_formats)
        raise InvalidInput(f"Unknown table format '{name}'.{meant}", f"One of {', '.join(tabulate_formats)}.")
    return name
