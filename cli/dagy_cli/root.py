"""The root of the command tree, and the one place where errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from dagy.core.errors import InvalidInput
from dagy_cli.exit_codes import ExitCode
from dagy_cli.failures import report
from dagy_cli.lazy import Lazy, LazyGroup
from dagy_cli.output import OutputLost
from dagy_cli.settings import VERSION_OPTION, Format, Settings, settings_of, usage_of

SECTIONS = {
    "Every day": {
        "init": Lazy("dagy_cli.commands.init:init", "Start a project, or a flow, that works as it stands."),
        "build": Lazy("dagy_cli.commands.build:build", "Build a deployment artifact (zip) from a flow."),
        "deploy": Lazy("dagy_cli.commands.deploy:deploy", "Deploy a flow: build, upload, register, schedule."),
        "run": Lazy("dagy_cli.commands.run:run", "Run a flow here, or a deployment remotely."),
        "dev": Lazy("dagy_cli.commands.dev:dev", "Run a flow here, again whenever a file of it changes."),
        "logs": Lazy("dagy_cli.commands.logs:logs", "Show the logs of a run."),
    },
    "What is there": {
        "flows": Lazy("dagy_cli.commands.flows:flows", "Flows registered in a stage."),
        "deployments": Lazy("dagy_cli.commands.deployments:deployments", "Deployments: what can be run, and when."),
        "schedules": Lazy("dagy_cli.commands.schedules:schedules", "Schedules: what runs by itself, and when."),
        "packages": Lazy("dagy_cli.commands.packages:packages", "Dependency packages: third-party modules for flows."),
        "runs": Lazy("dagy_cli.commands.runs:runs", "Runs, here or in a stage."),
        "dead-letters": Lazy("dagy_cli.commands.dead_letters:dead_letters", "Messages that AWS gave up on."),
    },
    "Environments": {
        "infra": Lazy("dagy_cli.commands.infra:infra", "Provision stages in your AWS account."),
        "local": Lazy("dagy_cli.commands.local:local", "The local cloud: AWS emulated on this machine."),
        "keys": Lazy("dagy_cli.commands.keys:keys", "API keys of a stage."),
        "users": Lazy("dagy_cli.commands.users:users", "People who may sign in to a stage."),
        "audit": Lazy("dagy_cli.commands.audit:audit", "Who changed what in a stage."),
        "config": Lazy("dagy_cli.commands.config:config", "Profiles: which environment commands talk to."),
        "login": Lazy("dagy_cli.commands.login:login", "Sign in through the browser."),
        "logout": Lazy("dagy_cli.commands.logout:logout", "Revoke and forget the sign-in."),
        "status": Lazy("dagy_cli.commands.status:status", "How things are, here and in the stage."),
        "open": Lazy("dagy_cli.commands.open:open_page", "Open the web app: its start, a run, or a deployment."),
        "whoami": Lazy("dagy_cli.commands.whoami:whoami", "Who the API thinks you are."),
    },
    "Help": {
        "clean": Lazy("dagy_cli.commands.clean:clean", "Remove records of local runs, and builds."),
        "doctor": Lazy("dagy_cli.commands.doctor:doctor", "Check this machine, the profile, and what it points to."),
        "completion": Lazy("dagy_cli.commands.completion:completion", "Tab completion for bash, zsh and fish."),
        "help": Lazy("dagy_cli.commands.help:help_topics", "Topics that belong to no single command."),
    },
}


@click.command(
    "dagy",
    cls=LazyGroup,
    sections=SECTIONS,
    aliases={"flow": "flows", "deployment": "deployments", "schedule": "schedules", "key": "keys", "user": "users"},
    params=[VERSION_OPTION],
    help="Python flows in your own AWS account: build, deploy, run, schedule, look.",
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
)
def root() -> None:
    """Nothing of its own to do."""


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code. Nothing escapes but the end of the process."""
    color = _color(arguments)
    ctx = click.Context(root, info_name="dagy")
    try:
        with root.make_context("dagy", list(arguments), color=color) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain while it flushes stdout on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # the root of the command line: see the module's first sentence
        usage = usage_of(ctx) if _is_about(error, arguments) else None
        return report(_lost_output() or error, _settings_in_force(error, ctx, arguments), usage=usage, color=color)
    return ExitCode.OK


def _is_about(error: BaseException, arguments: Sequence[str]) -> bool:
    """Whether it refuses what was typed: it quotes a word of the line, or a part of `key=value` or `a,b,c`."""
    if not isinstance(error, InvalidInput):
        return False
    said = f"{error} {error.hint}"
    parts = (part for word in arguments for part in (word, *word.split("=", 1), *word.split(",")))
    return any(repr(part) in said for part in parts)


def _color(arguments: Sequence[str]) -> bool | None:
    """None: colours for terminals only. The order is that of `dagy help formatting`."""
    if os.environ.get("NO_COLOR") or "--no-color" in arguments:
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return False if os.environ.get("CLICOLOR") == "0" or os.environ.get("TERM") == "dumb" else None


def _lost_output() -> OutputLost | None:
    """Whether the error is that stdout cannot be written: then what is left in its buffer cannot either, and is given
    up, because Python would try once more, and complain, on its way out.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OutputLost(error)
    return None


def _settings_in_force(error: BaseException, ctx: click.Context, arguments: Sequence[str]) -> Settings:
    """What the global options said; of a line that could not be parsed, what its words say."""
    if not isinstance(error, click.UsageError):
        return settings_of(ctx)
    words = [word for argument in arguments for word in argument.split("=", 1)]
    for before, word in zip(["", *words], words, strict=False):
        if word == "--json":
            return Settings(format=Format.JSON)
        if before == "--format" and word in Format._value2member_map_:
            return Settings(format=Format(word))
    return settings_of(error.ctx or ctx)
