"""`dagy clean`: room on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dagy.core.names import did_you_mean
from dagy_cli.amounts import bytes_text, count_text
from dagy_cli.changing import Consent, change_options
from dagy_cli.moments import Age
from dagy_cli.output import DRY_RUN_REMARK, Row
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.local.cleaning import Kept, Kind

COLUMNS = ["type", "count", "size_bytes", "kept_count", "kept_size_bytes"]


@click.command("clean", cls=Command, short_help="Remove records of local runs, and builds.")
@click.option("--older-than", "age_s", type=Age(), metavar="AGE", help="Only what ended longer ago: 30m, 24h, 7d.")
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Leave the newest N of each type.")
@click.option(
    "--type", "types", metavar="TYPES", help="Only these: runs, builds, or both with a comma.  [default: both]"
)
@click.option("--all", "is_all", is_flag=True, help="Everything of these types.")
@change_options
@pass_session
def clean(
    session: Session, age_s: float | None, keep: int | None, types: str | None, is_all: bool, consent: Consent
) -> None:
    """Remove records of local runs, with their logs and results, and the artifacts of builds.

    What goes has to be said: with --older-than and --keep together, only what is both. Runs that go on stay, and so do
    stages, profiles and the local cloud. A clean that is cut short is finished by the next one.

    \b
    Examples:
      dagy clean --older-than 7d --dry-run
      dagy clean --keep 20 --type runs --yes
      dagy clean --all
    """
    from dagy.local.cleaning import kept, remove_kept

    if is_all and not (age_s is None and keep is None):
        raise click.UsageError("--all means everything; leave --older-than and --keep out, or --all.")
    if not is_all and age_s is None and keep is None:
        raise click.UsageError("Say what may go: --older-than 7d, --keep 20, or --all. With --dry-run nothing does.")
    kinds = _kinds(types)
    there = kept(kinds)
    going = _chosen(there, age_s=age_s, keep=keep or 0)
    rows = [_row(kind, going, there, is_dry_run=consent.is_dry_run) for kind in kinds]
    if consent.is_dry_run or not going:
        _detail(session, going)
        session.out.items(rows, COLUMNS, text=lambda row: f"Would remove {_told(row)}" if going else _told(row))
        session.out.remark(DRY_RUN_REMARK if going else "Nothing to remove.")
        return
    consent.ask(f"Remove {' and '.join(_amount(row) for row in rows if row['count'])}", destroys=True)
    gone = remove_kept(going, tell=lambda item: session.out.detail(f"removed {item.name}"))
    rows = [_row(kind, gone, there, is_dry_run=False) for kind in kinds]
    session.out.items(rows, COLUMNS, text=lambda row: f"Removed {_told(row)}")


def _kinds(types: str | None) -> list[Kind]:
    from dagy.local.cleaning import Kind

    if types is None:
        return list(Kind)
    names = [name.strip() for name in types.split(",")]
    for name in names:
        if name not in Kind._value2member_map_:
            known = ", ".join(Kind)
            raise click.UsageError(f"Unknown type {name!r}: types are {known}.{did_you_mean(name, Kind)}")
    return [kind for kind in Kind if kind.value in names]


def _chosen(there: Sequence[Kept], *, age_s: float | None, keep: int) -> list[Kept]:
    """Beyond the newest `keep` of its kind, and old enough."""
    latest_s = time.time() - age_s if age_s is not None else float("inf")
    seen: dict[Kind, int] = {}
    chosen = []
    for item in there:
        seen[item.kind] = seen.get(item.kind, 0) + 1
        if seen[item.kind] > keep and item.at_s <= latest_s:
            chosen.append(item)
    return chosen


def _row(kind: Kind, going: Sequence[Kept], there: Sequence[Kept], *, is_dry_run: bool) -> dict[str, Any]:
    goes = {item.name for item in going if item.kind is kind}
    sizes = {item.name: item.size_bytes for item in there if item.kind is kind}
    gone_bytes = sum(sizes[name] for name in goes)
    return {
        "type": kind.value,
        "count": len(goes),
        "size_bytes": gone_bytes,
        "kept_count": len(sizes) - len(goes),
        "kept_size_bytes": sum(sizes.values()) - gone_bytes,
        "dry_run": is_dry_run,
    }


def _detail(session: Session, going: Sequence[Kept]) -> None:
    for item in going:
        session.out.detail(f"would remove {item.name}")


def _amount(row: Row) -> str:
    return f"{count_text(row['count'], row['type'][:-1])} ({bytes_text(row['size_bytes'])})"


def _told(row: Row) -> str:
    kept = f"{count_text(row['kept_count'], row['type'][:-1])} ({bytes_text(row['kept_size_bytes'])})"
    return f"{_amount(row)}; {kept} {'stays' if row['kept_count'] == 1 else 'stay'}"
