"""`dagy packages`: the third-party modules that flows of a stage can have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command
from dagy_cli.steps import Steps

if TYPE_CHECKING:
    from dagy.packages.creating import Created

COLUMNS = ["slug", "name", "platform", "distributions", "size_bytes", "unpacked_bytes", "created_at"]
packages = Group("packages", help="Dependency packages: third-party modules for flows.")


@packages.command("create", cls=Command)
@click.argument("requirements", metavar="REQUIREMENTS.txt", shell_complete=completing.files)
@click.option("--name", metavar="NAME", help="What people call it.  [default: that of the file or its folder]")
@click.option("--bucket", metavar="NAME", help="Where it goes.  [default: the stage's bucket]")
@change_options
@pass_session
def create(session: Session, requirements: str, name: str | None, bucket: str | None, consent: Consent) -> None:
    """Build what a requirements file asks for and bring it to the stage.

    Built here, for the stage's Python and architecture, from wheels only: no Docker, no compiler. The same wheels make
    the same slug, and then nothing is uploaded. It attaches nothing: `dagy deploy --dep-packages SLUG` does that.

    \b
    Examples:
      dagy packages create requirements.txt
      dagy packages create ml/requirements.txt --name ml --profile prod --yes
    """
    from dagy.deploy import S3Store
    from dagy.packages.creating import create_package

    client = session.client
    if not consent.is_dry_run:
        consent.ask(f"Create a dependency package from {requirements}", production=session.production)
    steps = Steps(session.out)
    created = create_package(
        Path(requirements),
        name=name,
        client=client,
        store=S3Store(session.profile, bucket=bucket),
        report=steps.done,
        is_dry_run=consent.is_dry_run,
    )
    for module in _owned(created):
        session.out.warning(f"The package holds {module}, but tasks get the runtimes' own: flows are run by it")
    if consent.is_dry_run:
        session.out.dry_run(_facts(created), f"Would create {created.slug} ({created.name})")
        return
    session.out.item(_facts(created), text=created.slug)
    if not created.is_uploaded:
        session.out.remark(f"It was there already, as {created.name}: nothing to upload.")
    session.out.next(f"dagy deploy PATH[:FLOW] --dep-packages {created.slug}")


@packages.command("list", cls=Command)
@pass_session
def list_packages(session: Session) -> None:
    """List all dependency packages, newest first.

    It does not say which deployments have one: `dagy deployments show` does.

    \b
    Examples:
      dagy packages list
      dagy packages list --json
    """
    shown = map(msgspec.to_builtins, session.client.iter_packages())
    if session.out.settings.is_machine_read:
        session.out.items(shown, COLUMNS)
    else:
        session.out.items(map(_row, shown), COLUMNS)


@packages.command("show", cls=Command)
@click.argument("slug", shell_complete=completing.packages)
@pass_session
def show(session: Session, slug: str) -> None:
    """Show a dependency package: what it holds, how large it is, what it was built for.

    \b
    Examples:
      dagy packages show A1B2C3D4
      dagy packages show A1B2C3D4 --json
    """
    session.out.item(msgspec.to_builtins(session.client.get_package(slug)))


@packages.command("delete", cls=Command)
@click.argument("slug", shell_complete=completing.packages)
@change_options
@pass_session
def delete(session: Session, slug: str, consent: Consent) -> None:
    """Delete a dependency package that no deployment has.

    Runs that were submitted with it still get it. One that is attached is not deleted; the deployments are named.

    \b
    Examples:
      dagy packages delete A1B2C3D4
      dagy packages delete A1B2C3D4 --yes
    """
    found = session.client.get_package(slug)
    if consent.is_dry_run:
        session.out.dry_run({"slug": found.slug, "deleted": False}, f"Would delete {found.slug} ({found.name})")
        return
    consent.ask(
        f"Delete the dependency package {found.slug} ({found.name})", destroys=True, production=session.production
    )
    session.client.delete_package(found.slug)
    session.out.item({"slug": found.slug, "deleted": True}, text=f"Deleted {found.slug}")


def _facts(created: Created) -> dict[str, Any]:
    return {
        "slug": created.slug,
        "name": created.name,
        "platform": created.contents.platform.name,
        "distributions": dict(created.contents.distributions),
        "modules": list(created.contents.modules),
        "size_bytes": created.size_bytes,
        "unpacked_bytes": created.contents.unpacked_bytes,
        "file_count": len(created.contents.files),
        "bytecode": created.contents.bytecode,
        "uploaded": created.is_uploaded,
    }


def _owned(created: Created) -> list[str]:
    from dagy.packages.owned import OWNED

    return sorted(OWNED.intersection(created.contents.modules) - {"tzdata"})


def _row(package: dict[str, Any]) -> dict[str, Any]:
    """Short enough for a table."""
    platform = package["platform"]
    names = ", ".join(f"{name} {version}" for name, version in package["distributions"].items())
    return {
        **package,
        "platform": f"{platform['system']}-{platform['architecture']}-python{platform['python_version']}",
        "distributions": names if len(names) <= 60 else f"{names[:59]}…",
    }
