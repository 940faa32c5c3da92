"""Installs a hash-locked list of wheels into a folder, for another platform than this one when asked to.

uv first: it is quick, and `--python-platform` of it implies the older platform tags. pip knows indexes that uv
does not (`pip.conf`), so it is tried second; it needs the tags spelled out, or it silently picks year-old wheels.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagy.core.errors import Unavailable
from dagy_infra.stages import Architecture

_MACHINES: dict[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
_WHAT = ("--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:")
_NEWEST_GLIBC = 34  # Amazon Linux 2023 has glibc 2.34; the Python runtimes from 3.12 on run on it


@dataclass(frozen=True, slots=True)
class Target:
    """What a zip's compiled modules must run on. `is_host`: this very interpreter, else Lambda's."""

    architecture: Architecture
    python_version: str
    is_host: bool

    @property
    def name(self) -> str:
        place = sys.platform if self.is_host else "lambda"
        return f"{place}-{self.architecture}-python{self.python_version}"


def install(lock: Path, target: Target, into: Path) -> None:
    """Raises: Unavailable with what uv and pip said."""
    said = []
    for command in (uv_command("pip", "install", *_uv_platform(target)), _pip_command(target)):
        if command is None:
            continue
        result = subprocess.run(
            [*command, *_WHAT, "--target", str(into), "--requirement", str(lock)],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode == 0:
            return
        said.append(f"{Path(command[0]).name}: {result.stderr.strip()[-600:]}")
    raise Unavailable(
        f"Could not download what the Lambda functions are made of ({lock.name})\n" + "\n".join(said),
        "Check the connection to your package index and try again.",
    )


def uv_command(*arguments: str) -> list[str] | None:
    """None when uv is not installed beside this interpreter."""
    try:
        from uv import find_uv_bin
    except ImportError:
        return None
    try:
        return [find_uv_bin(), *arguments]
    except FileNotFoundError:
        return None


def _uv_platform(target: Target) -> Sequence[str]:
    if target.is_host:
        return ("--python", sys.executable)
    machine = _MACHINES[target.architecture]
    return ("--python-platform", f"{machine}-manylinux_2_{_NEWEST_GLIBC}", "--python-version", target.python_version)


def _pip_command(target: Target) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    if target.is_host:
        return command
    machine = _MACHINES[target.architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 16, -1)] + [f"manylinux2014_{machine}"]
    abi = f"cp{target.python_version.replace('.', '')}"
    return [
        *command,
        *(flag for tag in tags for flag in ("--platform", tag)),
        *("--implementation", "cp", "--abi", abi, "--abi", "abi3", "--abi", "none"),
        *("--python-version", target.python_version),
    ]
