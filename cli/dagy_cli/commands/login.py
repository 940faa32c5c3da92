"""`dagy login`: sign in through the browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.config import Profile


@click.command("login", cls=Command, short_help="Sign in through the browser.")
@pass_session
def login(session: Session) -> None:
    """Sign in through the browser, and keep the token for the API of the profile.

    The page is the web app's: DAGY_APP_URL, else the profile's app_url, else https://dagy.io. It has two minutes to
    answer. The token is sent to that API only, and takes the place of an earlier sign-in; API keys stay, and go first.

    \b
    Examples:
      dagy login
      dagy login --profile staging
      DAGY_APP_URL=https://staging.example.com dagy login
    """
    from dagy.config import resolve_app_url
    from dagy.core.timestamps import to_iso
    from dagy.credentials import save_credentials
    from dagy_cli.sign_in.browser import open_browser
    from dagy_cli.sign_in.exchange import Issuer
    from dagy_cli.sign_in.flow import Telling, checked_app_url, sign_in

    profile = session.profile
    api_url = _api_url(profile)
    app_url = checked_app_url(resolve_app_url(profile))
    issuer = Issuer(profile.issuer, profile.client_id) if profile.issuer and profile.client_id else None
    telling = Telling(
        no_browser=lambda url: session.out.warning(f"No browser could be opened. Open this page yourself:\n{url}"),
        still_waiting=lambda url: session.out.remark(f"Waiting for the browser. If none has opened, go to\n{url}"),
    )
    session.out.remark("Opening browser for login...")
    signed_in = sign_in(
        app_url,
        issuer,
        lambda new: save_credentials(new.token, new.expires_at, new.email, api_url=api_url),
        open_browser=open_browser,
        telling=telling,
    )
    answer = {
        "user_email": signed_in.email or None,
        "expires_at": to_iso(signed_in.expires_at) if signed_in.expires_at else None,
        "api_url": api_url,
        "profile": profile.name,
    }
    session.out.item(answer, text="Login successful!")
    if signed_in.email:
        session.out.remark(f"Logged in as {signed_in.email}")
    _tell_what_goes_first(session, profile, api_url)


def _api_url(profile: Profile) -> str:
    """The API that the token will be for. That some script has set DAGY_API_URL must not be enough to have the token of
    a profile's own sign-in page sent to whoever set it.

    Raises: InvalidInput.
    """
    from dagy.client.transport import api_root
    from dagy.config import resolve_api_url
    from dagy.core.errors import InvalidInput
    from dagy.origin import origin_of

    api_url = resolve_api_url(profile)
    if api_url is None:
        raise InvalidInput("Missing Dagy API URL. Set DAGY_API_URL or run 'dagy config'.")
    api_root(api_url)
    if profile.api_url and origin_of(profile.api_url) != origin_of(api_url) and not os.environ.get("DAGY_APP_URL"):
        raise InvalidInput(
            f"DAGY_API_URL is {api_url}, but the sign-in page is of profile '{profile.name}', for {profile.api_url}",
            "Unset DAGY_API_URL; or set DAGY_APP_URL too, to the sign-in page of that API.",
        )
    return api_url


def _tell_what_goes_first(session: Session, profile: Profile, api_url: str) -> None:
    from dagy.credentials import find_credential

    found = find_credential(profile.name, api_url=api_url)
    if found is not None and found.source == "profile":
        session.out.warning(f"The API key of profile '{profile.name}' goes first: requests carry it, not this sign-in.")
    elif found is not None and found.source != "sign-in":
        session.out.warning(f"{found.source} is set and goes first: requests carry it, not this sign-in.")
