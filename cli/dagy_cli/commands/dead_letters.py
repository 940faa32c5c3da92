"""`dagy dead-letters`: messages that AWS gave up on, and what they were about done after all."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click
import msgspec

from dagy_cli import completing
from dagy_cli.changing import Consent, change_options
from dagy_cli.commands.starting import say_what_is_kept
from dagy_cli.lazy import Group
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.client.models import DeadLetterResponse

COLUMNS = ["id", "at", "kind", "run_id", "deployment", "replayed_as"]
MACHINE_COLUMNS = [*COLUMNS, "replayed_at", "replayed_by", "reason"]

dead_letters = Group("dead-letters", help="Messages that AWS gave up on.")


@dead_letters.command("list", cls=Command)
@click.option("--run", "run_id", metavar="RUN_ID", help="Only those about it.", shell_complete=completing.runs_there)
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="At most so many.")
@pass_session
def list_letters(session: Session, run_id: str | None, limit: int) -> None:
    """List messages that AWS Lambda gave up on, newest first, with what became of them.

    A run that waited for such a message has ended FAILED with the reason. They stay in the list when they are replayed.

    \b
    Examples:
      dagy dead-letters list
      dagy dead-letters list --run daily_etl-20260304T120000Z-a1b2c3
      dagy dead-letters list --format csv
    """
    columns = MACHINE_COLUMNS if session.settings.is_machine_read else COLUMNS
    letters = islice(session.client.iter_dead_letters(run_id=run_id), limit)
    session.out.items((msgspec.to_builtins(letter) for letter in letters), columns)


@dead_letters.command("show", cls=Command)
@click.argument("letter_id", metavar="ID", shell_complete=completing.dead_letters)
@pass_session
def show(session: Session, letter_id: str) -> None:
    """Show one with its message and the reason that AWS gave. The run that it was for: `dagy runs inspect`.

    \b
    Examples:
      dagy dead-letters show 01KJWBG7G0R84P57VFQVC2R1YM
    """
    session.out.item(msgspec.to_builtins(session.client.get_dead_letter(letter_id)))


@dead_letters.command("replay", cls=Command)
@click.argument("letter_id", metavar="ID", shell_complete=completing.dead_letters)
@change_options
@pass_session
def replay(session: Session, letter_id: str, consent: Consent) -> None:
    """Do what the message was about after all. Nobody can do it twice: a second time tells what the first one did.

    A run that ended without its message is finished by a new run, as `dagy runs retry --from-failed` does: it keeps
    the results of tasks whose code and arguments are unchanged. A schedule that did not fire, or a message that was to
    start a run, starts it now. What needs no replay any more is refused, such as a run that goes on without it.

    A flow can write dead letters, since Lambda reports its failures with the flow's own rights: look at one before.

    \b
    Examples:
      dagy dead-letters replay 01KJWBG7G0R84P57VFQVC2R1YM --dry-run
      dagy dead-letters replay 01KJWBG7G0R84P57VFQVC2R1YM
    """
    letter = session.client.get_dead_letter(letter_id)
    if consent.is_dry_run:
        session.out.dry_run(msgspec.to_builtins(letter), _would(session, letter))
        return
    if letter.replayed_at is None:
        consent.ask(f"Replay dead letter {letter.id} ({_about(letter)})", production=session.production)
    done = session.client.replay_dead_letter(letter.id)
    before = f" before, at {done.replayed_at} by {done.replayed_by}" if letter.replayed_at is not None else ""
    became = f": {done.replayed_as}" if done.replayed_as else ""
    session.out.item(msgspec.to_builtins(done), text=f"Replayed {done.id}{before}{became}")
    if done.replayed_as:
        session.out.next(f"dagy runs watch {done.replayed_as} --remote")


def _would(session: Session, letter: DeadLetterResponse) -> str:
    """What a replay would do, as far as the letter and its run tell: the stage decides."""
    if letter.replayed_at is not None:
        return f"Would do nothing: it was replayed at {letter.replayed_at} by {letter.replayed_by}"
    if letter.kind is None:
        return "Would be refused: it is no message that this stage sends"
    if letter.run_id is None:
        return f"Would replay {_about(letter)}"
    run = session.client.get_run(letter.run_id)
    if run.status not in ("FAILED", "CANCELLED"):
        return f"Would be refused: run {run.run_id} is {run.status}"
    say_what_is_kept(session, run)
    return f"Would finish run {run.run_id} with a new one"


def _about(letter: DeadLetterResponse) -> str:
    what = letter.run_id or letter.deployment
    return f"{letter.kind or 'no known message'}{f' of {what}' if what else ''}"
