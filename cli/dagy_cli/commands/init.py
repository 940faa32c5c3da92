"""`dagy init`: a project, or a flow, to start from."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from dagy_cli.completing import words as choice
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.command("init", cls=Command, short_help="Start a project, or a flow, that works as it stands.")
@click.argument("words", metavar="NAME | flow NAME", nargs=-1, required=True, shell_complete=choice("flow"))
@click.option("--steps", metavar="A,B,C", help="The tasks of the new flow, one after the other.  [default: process]")
@click.option("--dry-run", is_flag=True, help="Say what would be written and do nothing.")
@pass_session
def init(session: Session, words: tuple[str, ...], steps: str | None, dry_run: bool) -> None:
    """Start a project (NAME), or a file with a flow (flow NAME), that works as it stands.

    A project is a folder with a flow of three tasks, its tests, and a README with the commands to run, test and deploy
    it. A flow is one file, in which each step waits for the one before. Nothing is ever written over.

    \b
    Examples:
      dagy init my-pipeline
      dagy init flow image-pipeline --steps fetch,resize,upload
      dagy init flow simple-job --dry-run
    """
    if words[0] == "flow":
        if len(words) != 2:
            raise click.UsageError("Give the new flow one name: dagy init flow NAME.")
        given = [step.strip() for step in steps.split(",")] if steps is not None else None
        _init_flow(session, words[1], given, is_dry_run=dry_run)
        return
    if len(words) > 1:
        meant = " Did you mean 'flow'?" if difflib.get_close_matches(words[0], ["flow", "workflow"]) else ""
        raise click.UsageError(f"Got unexpected extra argument ({words[1]}).{meant}")
    if steps is not None:
        raise click.UsageError(f"--steps is for a flow: dagy init flow {words[0]} --steps {steps}.")
    _init_project(session, words[0], is_dry_run=dry_run)


def _init_project(session: Session, name: str, *, is_dry_run: bool) -> None:
    from dagy_cli import scaffolding, templates

    files = templates.project_files(name)
    facts = {"name": name, "directory": name, "files": list(files)}
    listed = "".join(f"\n  {name}/{file}" for file in files)
    if is_dry_run:
        scaffolding.check_is_free(Path(name))
        session.out.dry_run(facts, f"Would create {name}/{listed}")
        return
    scaffolding.create_folder(Path(name), files)
    session.out.item(facts, text=f"Created {name}/{listed}")
    session.out.next(f"cd {name}", "cat README.md")


def _init_flow(session: Session, name: str, steps: list[str] | None, *, is_dry_run: bool) -> None:
    from dagy_cli import scaffolding, templates

    file, text = templates.flow_file(name, steps if steps is not None else [templates.DEFAULT_STEP])
    facts = {"name": name, "directory": ".", "files": [file]}
    if is_dry_run:
        scaffolding.check_is_free(Path(file))
        session.out.dry_run(facts, f"Would create {file}")
        return
    scaffolding.create_file(Path(file), text)
    session.out.item(facts, text=f"Created {file}")
    session.out.next(f"dagy run {file}")
