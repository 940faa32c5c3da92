"""`dagy logout`: have the sign-in revoked, then forget it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.credentials import Credentials

TIMEOUT_S = 3.0


@click.command("logout", cls=Command, short_help="Revoke and forget the sign-in.")
@pass_session
def logout(session: Session) -> None:
    """Revoke the token of the last sign-in at its API, and forget it here, also when the API does not answer.

    API keys stay, here and there: `dagy keys revoke` makes one worthless, `dagy config delete` forgets a profile's.

    \b
    Examples:
      dagy logout
    """
    from dagy.credentials import delete_credentials, read_credentials

    stored = read_credentials()
    is_revoked = _revoke(session, stored) if stored.access_token else False
    delete_credentials()
    session.out.item({"was_signed_in": stored.access_token is not None, "revoked": is_revoked}, text="Logged out")


def _revoke(session: Session, stored: Credentials) -> bool:
    """Whether the API takes the token no more. Tells why it may, unless it has expired anyway."""
    from dagy.client.http import DagyClient
    from dagy.core.errors import APIError, DagyError

    if stored.expires_at and stored.expires_at <= time.time():
        return False
    api_url = _api_url(session, stored.origin)
    if api_url is None:
        session.out.remark(
            f"No profile is for {stored.origin}, so the token was not revoked; it is good until it expires."
        )
        return False
    client = DagyClient(api_url, stored.access_token, timeout_s=TIMEOUT_S)
    try:
        client.logout()
    except APIError as error:
        if error.status_code == 401:
            return True
        session.out.remark(f"The token was not revoked and is good until it expires: {error}")
        return False
    except DagyError as error:
        session.out.remark(f"The token was not revoked and is good until it expires: {error}")
        return False
    finally:
        client.close()
    return True


def _api_url(session: Session, origin: str | None) -> str | None:
    """The address of the API that the token is for: the origin alone does not tell the path."""
    from dagy.config import read_config, resolve_api_url
    from dagy.core.errors import InvalidInput
    from dagy.origin import origin_of

    try:
        known = [resolve_api_url(session.profile), *(profile.api_url for profile in read_config().profiles.values())]
    except InvalidInput as error:  # a configuration that cannot be read must not keep anybody signed in
        session.out.remark(str(error))
        return None
    return next((url for url in known if url and origin_of(url) == origin), None)
