"""How an error looks to whoever typed the command: on stderr, without a traceback, with what to do next."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import click

from dagy.core.errors import APIError, DagyError, InvalidInput
from dagy.core.names import did_you_mean
from dagy.local.paths import local_dir
from dagy.version import VERSION
from dagy_cli.exit_codes import ExitCode, exit_code_of
from dagy_cli.settings import Settings

STATE_HINT: Final = "Dagy keeps its state there. Set DAGY_LOCAL_DIR to a folder that you may write to."


def report(
    error: BaseException, settings: Settings, *, usage: str | None = None, color: bool | None = None
) -> ExitCode:
    """Write the error to stderr, as JSON when the answers are, and say which exit code it means. `usage` is that of the
    command whose line was wrong; `color` None leaves it to whether stderr is a terminal.
    """
    if settings.is_debug and not isinstance(error, click.UsageError):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    body, code = _described(error)
    if settings.is_machine_read:
        click.echo(json.dumps({"error": body}, ensure_ascii=False), err=True)
        return code
    if isinstance(error, click.UsageError) and error.ctx is not None:
        usage = error.ctx.get_usage()
    if usage is not None:
        click.echo(usage, err=True)
    if code is ExitCode.INTERRUPTED and sys.stderr.isatty():
        click.echo(err=True)  # the terminal has shown ^C, somewhere in a line
    click.echo(f"{click.style('Error:', fg='red')} {body['message']}", err=True, color=color)
    if body["hint"]:
        click.echo(f"  → {body['hint']}", err=True)
    return code


def _described(error: BaseException) -> tuple[dict[str, Any], ExitCode]:
    if isinstance(error, DagyError):
        code = error.error_code or error.code if isinstance(error, APIError) else error.code
        return _body(code, str(error), error.hint), exit_code_of(error)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "dagy"
        return _body("usage", _usage_message(error), f"See: {path} --help"), ExitCode.USAGE
    if isinstance(error, click.ClickException):
        return _body("error", error.format_message(), None), ExitCode.ERROR
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return _body("interrupted", "Interrupted", None), ExitCode.INTERRUPTED
    if isinstance(error, OSError) and error.errno is not None:
        where = f": {error.filename}" if error.filename is not None else ""
        return _body("file", f"{error.strerror}{where}", _state_hint(error)), ExitCode.ERROR
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        what = ascii(error.object[error.start : error.end])  # no more of it: it may be a secret
        return _described(InvalidInput(f"What was given is not text: {what} is no UTF-8", "Write it as UTF-8."))
    return _body("unexpected", f"{type(error).__name__}: {error}", _how_to_report()), ExitCode.ERROR


def _how_to_report() -> str:
    import platform  # a lazy door: nobody else needs it

    versions = f"dagy {VERSION}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"This is a defect of Dagy. Please report it with what the same command says with --debug ({versions})."


def _state_hint(error: OSError) -> str | None:
    try:
        is_state = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(local_dir())
    except DagyError:
        return None
    return STATE_HINT if is_state else None


def _usage_message(error: click.UsageError) -> str:
    """click's own words, but for mistyped options, where its versions differ; and what was meant."""
    if isinstance(error, click.NoSuchOption):
        known = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts] if error.ctx else []
        return f"No such option '{error.option_name}'.{did_you_mean(error.option_name, known)}"
    message = error.format_message()
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param is not None else None
    if isinstance(kind, click.Choice) and (typed := re.match(r"'(.*)' is not one of", error.message)):
        return message + did_you_mean(typed[1], map(str, kind.choices))
    return message


def _body(code: str, message: str, hint: str | None) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint}
