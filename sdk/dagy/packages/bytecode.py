"""Bytecode for the modules of a package, so that no run has to compile what it imports.

Only the version of Python that will run it can make it. Where there is none, a package is built without.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.packages import compiling
from dagy.packages.installing import find_uv

_VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Bytecode:
    """`files` by their paths in the package; `tag` is in the name of each, such as `cpython-313`."""

    tag: str
    files: dict[str, Path]


def compile_modules(sources: Path, names: Iterable[str], *, python_version: str, into: Path) -> Bytecode | None:
    """The bytecode of those of `names` (paths below `sources`) that are modules and compile, in the folder `into`. The
    same Python, to the patch, makes the same of the same. None when no Python of that version is here.
    """
    wanted = "\0".join(name for name in names if name.endswith(".py"))
    for python in _interpreters(python_version):
        into.mkdir(exist_ok=True)
        program = [python, "-I", "-S", "-B", "-W", "ignore", compiling.__file__, str(sources), str(into)]
        done = _answer(program, wanted)
        if done == f"cpython-{python_version.replace('.', '')}":
            made = sorted(into.rglob("*.pyc"))
            return Bytecode(done, {path.relative_to(into).as_posix(): path for path in made})
        shutil.rmtree(into)
    return None


def _interpreters(python_version: str) -> Iterator[str]:
    """Those that may be of that version, the surest first. Whether they are, they say themselves."""
    if python_version == _VERSION:
        yield sys.executable
    if (uv := find_uv()) is not None and (found := _answer([uv, "python", "find", "--no-project", python_version])):
        yield found
    if (found := shutil.which(f"python{python_version}")) is not None:
        yield found


def _answer(command: list[str], given: str = "") -> str | None:
    """None when it cannot be run, or fails: a name on the path may be a launcher of what is not there."""
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, encoding="utf-8", check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
