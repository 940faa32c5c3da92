"""`dagy completion`: what makes the shell complete commands, options and names."""

from __future__ import annotations

import click

from dagy_cli.changing import Consent, change_options
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command
from dagy_cli.shells import SHELLS, Place, Standing, script_for


@click.command("completion", cls=Command, short_help="Tab completion for bash, zsh and fish.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Set it up for new shells, instead of printing it.")
@change_options
@pass_session
def completion(session: Session, shell: str, install: bool, consent: Consent) -> None:
    """Tab completion for bash, zsh and fish: commands, options, profiles, runs, deployments.

    It prints a script for the shell to read. With --install the script is kept in a file, and the shell's own start
    file gets a line that reads it.

    \b
    Examples:
      dagy completion bash --install
      eval "$(dagy completion zsh)"
      dagy completion fish | source
    """
    if not install:
        if consent != Consent():
            raise click.UsageError("--dry-run and --yes go with --install.")
        session.out.answer(script_for(shell).rstrip("\n"))
        return
    place = Place.of(shell)
    standing = place.standing()
    facts = {
        "shell": shell,
        "script": str(place.script),
        "start_file": str(place.start_file) if place.start_file else None,
        "changed": standing is not Standing.INSTALLED,
        "dry_run": consent.is_dry_run,
    }
    if standing is Standing.INSTALLED:
        session.out.item(facts, text=f"Completion for {shell} is installed already: {place.script}")
        return
    changes = [f"write {place.script}"]
    if place.start_file is not None and not place.is_started:
        changes.append(f"add to the end of {place.start_file}: {place.lines.splitlines()[-1]}")
    if consent.is_dry_run:
        session.out.item(facts, text="\n".join(f"Would {change}" for change in changes))
        return
    deed = " and ".join(changes)
    consent.ask(f"{deed[:1].upper()}{deed[1:]}", destroys=True)
    place.install()
    session.out.item(facts, text=f"Installed completion for {shell}: {place.script}")
    session.out.remark("It works in shells that are started from now on.")
