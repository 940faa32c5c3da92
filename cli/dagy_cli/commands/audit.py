"""`dagy audit`: who changed what in a stage."""

from __future__ import annotations

from itertools import islice, takewhile

import click
import msgspec

from dagy_cli.lazy import Group
from dagy_cli.moments import Moment
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

COLUMNS = ["at", "actor_kind", "actor_name", "action", "resource"]
MACHINE_COLUMNS = ["id", "at", "actor_kind", "actor_id", "actor_name", "action", "resource", "request_id"]
audit = Group("audit", help="Who changed what in a stage.")


@audit.command("list", cls=Command)
@click.option("--actor", metavar="WHO", help="Only what they did: an e-mail address, a key's name, or an id.")
@click.option("--resource", metavar="NAME", help="Only what was done to it: deployments/daily, or deployments.")
@click.option("--after", type=Moment(), help="Only what was done at this time or later; 7d is so long ago.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="At most so many.")
@pass_session
def list_entries(session: Session, actor: str | None, resource: str | None, after: float | None, limit: int) -> None:
    """List what was changed and by whom, newest first. Entries are kept for 400 days; only admins may read them.

    What was sent or answered is not in them, so no secret is. A change that was refused has no entry.

    \b
    Examples:
      dagy audit list --resource deployments/daily
      dagy audit list --actor ann@example.com --after 7d
      dagy audit list --limit 10000 --format jsonl
    """
    from dagy.core.timestamps import to_iso

    entries = session.client.iter_audit(actor=actor, resource=resource)
    if after is not None:
        since = to_iso(after)
        entries = takewhile(lambda entry: entry.at >= since, entries)
    columns = MACHINE_COLUMNS if session.settings.is_machine_read else COLUMNS
    session.out.items((msgspec.to_builtins(entry) for entry in islice(entries, limit)), columns)
