"""`dagy whoami`: who the API thinks is asking."""

from __future__ import annotations

import click
import msgspec

from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.command("whoami", cls=Command, short_help="Who the API thinks you are.")
@pass_session
def whoami(session: Session) -> None:
    """Who the API thinks you are, with which role, and until when. It asks the API, so it also says whether you may in.

    \b
    Examples:
      dagy whoami
      dagy whoami --profile prod --json
    """
    who = session.client.whoami()
    until = f"until {who.expires_at}" if who.expires_at else "without expiry"
    text = f"{who.name} ({who.kind} {who.id}), {who.role} of stage {who.stage}, {until}"
    session.out.item(msgspec.to_builtins(who), text=text)
