"""`dagy whoami`: who the API thinks is asking; when it does not answer, what is known here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.credentials import Credential


@click.command("whoami", cls=Command, short_help="Who the API thinks you are.")
@pass_session
def whoami(session: Session) -> None:
    """Who the API thinks you are, with which role, and until when. It asks the API, so it also says whether you may in.

    When the API does not answer, or there is none, it says what is known here: whose token it is, until when it is
    good, and where it comes from. An expired one is not sent.

    \b
    Examples:
      dagy whoami
      dagy whoami --profile prod --json
    """
    from dagy.config import resolve_api_url
    from dagy.core.errors import Unauthenticated
    from dagy.credentials import find_credential

    profile = session.profile
    api_url = resolve_api_url(profile)
    found = find_credential(profile.name, api_url=api_url)
    if found is None:
        command = f"dagy login --profile {profile.name}" if profile.name else "dagy login"
        raise Unauthenticated("You are not signed in", f"Sign in: {command}. Or give an API key: DAGY_API_KEY.")
    found.check_fresh(profile.name, now=time.time())
    told = _asked(session) if api_url is not None else None
    row = {
        **(told or _known_here(found, profile.stage)),
        "credential": found.source,
        "api_url": api_url,
        "is_verified": told is not None,
    }
    session.out.item(row, text=_text(row, profile.name))


def _asked(session: Session) -> dict[str, Any] | None:
    """The API's view; None when nobody answers."""
    import msgspec

    from dagy.core.errors import APIError
    from dagy_cli.exit_codes import ExitCode, exit_code_of

    try:
        seen: dict[str, Any] = msgspec.to_builtins(session.client.whoami())
    except APIError as error:
        if exit_code_of(error) is not ExitCode.NETWORK:
            raise
        session.out.warning(f"{error}\nThis is what is known here.")
        return None
    return seen


def _known_here(found: Credential, stage: str | None) -> dict[str, Any]:
    """The same fields, as far as they are known without the API."""
    from dagy.core.timestamps import to_iso
    from dagy_cli.sign_in.claims import read_claims

    claims = read_claims(found.token)
    until = found.expires_at or claims.expires_at
    return {
        "kind": "key" if found.key_id else "user",
        "id": found.key_id,
        "name": found.user_email or claims.email or None,
        "role": None,
        "expires_at": to_iso(until) if until else None,
        "stage": stage,
    }


def _text(row: dict[str, Any], profile: str | None) -> str:
    who = " ".join(filter(None, (row["kind"], row["id"])))
    name = f"{row['name']} ({who})" if row["name"] else who
    role = f", {row['role']} of stage {row['stage']}" if row["role"] else ""
    until = f"until {row['expires_at']}" if row["expires_at"] else "without expiry" if row["is_verified"] else ""
    source = {"profile": f"the API key of profile '{profile}'", "sign-in": "your sign-in"}
    return f"{name}{role}{f', {until}' if until else ''}\nWith {source.get(row['credential'], row['credential'])}"
