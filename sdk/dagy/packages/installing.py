"""Has uv or pip put wheels into a folder, for another platform than this one when asked to.

uv first: it is quick, its `--python-platform` implies the older platform tags, and it reads markers for the target. pip
knows indexes that uv does not (`pip.conf`), so it is tried second; it needs the tags spelled out, or it silently picks
year-old wheels, and it reads markers such as `python_version < "3.12"` for the Python that runs it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.core.errors import Unavailable
from dagy.core.platforms import LAMBDA, Platform
from dagy.packages.host import host_platform

_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
_NEWEST_GLIBC: Final = 34  # Amazon Linux 2023 has glibc 2.34; the Python runtimes from 3.12 on run on it
_OLD_NAMES: Final = ("manylinux2014", "manylinux2010", "manylinux1")  # of 2_17, 2_12 and 2_5


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one installer said when it could not."""

    installer: str
    said: str


def install(arguments: Sequence[str], platform: Platform, into: Path) -> tuple[Refusal, ...]:
    """Install into the folder; nothing is built from source. Empty when it worked, else what each installer said.

    Raises: Unavailable when there is no installer that could.
    """
    refusals: list[Refusal] = []
    for name, command in _installers(platform):
        done = subprocess.run(
            [*command, "--quiet", "--only-binary", ":all:", "--target", str(into), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode == 0:
            return ()
        refusals.append(Refusal(name, (done.stderr or done.stdout).strip()))
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
    if not refusals:
        raise Unavailable(
            f"Neither uv nor a pip for Python {platform.python_version} is here to download wheels with",
            f"Install uv (pip install uv), or use Python {platform.python_version}.",
        )
    return tuple(refusals)


def _installers(platform: Platform) -> list[tuple[str, list[str]]]:
    found = []
    if (uv := find_uv()) is not None:
        found.append(("uv", [uv, "pip", "install", *_uv_platform(platform)]))
    has_pip = importlib.util.find_spec("pip") is not None
    if has_pip and (platform.system == LAMBDA or platform == host_platform()):
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
        found.append(("pip", [*pip, *_pip_platform(platform)]))
    return found


def find_uv() -> str | None:
    """The one beside this interpreter, else the one on the path."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def _uv_platform(platform: Platform) -> Sequence[str]:
    python = ("--python", sys.executable, "--python-version", platform.python_version)
    if platform.system != LAMBDA:
        return python
    machine = _MACHINES[platform.architecture]
    return (*python, "--python-platform", f"{machine}-manylinux_2_{_NEWEST_GLIBC}")


def _pip_platform(platform: Platform) -> Sequence[str]:
    if platform.system != LAMBDA:
        return ()
    machine = _MACHINES[platform.architecture]
    tags = [*(f"manylinux_2_{minor}" for minor in range(_NEWEST_GLIBC, 4, -1)), *_OLD_NAMES]
    abi = f"cp{platform.python_version.replace('.', '')}"
    return (
        *(flag for tag in tags for flag in ("--platform", f"{tag}_{machine}")),
        *("--implementation", "cp", "--abi", abi, "--abi", "abi3", "--abi", "none"),
        *("--python-version", platform.python_version),
    )
