"""`dagy open`: the web app's pages."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import click

from dagy_cli import completing
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.config import Profile

_RUN_ID: Final = re.compile(r".+-\d{8}T\d{6}Z-[0-9a-z]{8,}")


@click.command("open", cls=Command, short_help="Open the web app: its start, a run, or a deployment.")
@click.argument("target", metavar="RUN_ID | DEPLOYMENT", required=False, shell_complete=completing.deployments)
@click.option("--last", is_flag=True, help="The newest run of the stage.")
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
@pass_session
def open_page(session: Session, target: str | None, last: bool, no_browser: bool) -> None:
    """Open a page of the web app: its start, a run's, or a deployment's. The URL is printed in any case.

    The app is the profile's app_url, or DAGY_APP_URL. No browser is opened when the output is not a terminal.

    \b
    Examples:
      dagy open
      dagy open nightly --profile prod
      dagy open --last --no-browser
    """
    if target is not None and last:
        raise click.UsageError("Give a run id or a deployment, or --last.")
    app_url = _app_url(session.profile)
    url = f"{app_url}{_path(session, target, is_last=last)}"
    is_opened = False
    if not no_browser and sys.stdout.isatty():
        from dagy_cli.sign_in.browser import opens_browser

        is_opened = opens_browser(url)
        session.out.remark(
            "Opening it in your browser." if is_opened else "No browser could be opened; this is the page:"
        )
    session.out.item({"url": url, "opened": is_opened}, text=url)


def _app_url(profile: Profile) -> str:
    """Raises: InvalidInput when there is none."""
    from dagy.config import checked_url
    from dagy.core.errors import InvalidInput

    given = os.environ.get("DAGY_APP_URL") or profile.app_url
    if not given:
        whose = f"Profile {profile.name} has" if profile.name else "There is no profile, so there is"
        raise InvalidInput(
            f"{whose} no app_url: where its web app is, is not known",
            f"Set it: dagy config set {profile.name or '<name>'} --app-url <URL>, or DAGY_APP_URL.",
        )
    return checked_url(given).rstrip("/")


def _path(session: Session, target: str | None, *, is_last: bool) -> str:
    """The page's own part. Only what could be either is asked about.

    Raises: NotFound when it is neither a run nor a deployment.
    """
    if target is None and not is_last:
        return ""
    if target is not None and _RUN_ID.fullmatch(target):
        return f"/runs/{quote(target, safe='')}"
    from dagy.core.errors import APIError, NotFound
    from dagy_cli.run_sources import SHORTEST_PREFIX, RemoteRuns

    runs = RemoteRuns(session.client)
    if target is None:
        newest = runs.latest()
        if newest is None:
            raise NotFound("run", "none has been started yet", "Start one: dagy run <deployment>")
        return f"/runs/{quote(newest, safe='')}"
    try:
        return f"/deployments/{quote(session.client.get_deployment(target).name, safe='')}"
    except APIError as error:
        found = runs.find(target) if error.status_code in (404, 422) and len(target) >= SHORTEST_PREFIX else None
        if found is None:
            raise
        return f"/runs/{quote(found, safe='')}"
