"""Installs a hash-locked list of wheels into a folder, for another platform than this one when asked to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from dagy.core.errors import Unavailable
from dagy.core.platforms import LAMBDA, Platform
from dagy.packages import installing
from dagy_infra.stages import Architecture


@dataclass(frozen=True, slots=True)
class Target:
    """What a zip's compiled modules must run on. `is_host`: this very interpreter, else Lambda's."""

    architecture: Architecture
    python_version: str
    is_host: bool

    @property
    def platform(self) -> Platform:
        return Platform(sys.platform if self.is_host else LAMBDA, self.architecture, self.python_version)

    @property
    def name(self) -> str:
        return self.platform.name


def install(lock: Path, target: Target, into: Path) -> None:
    """Raises: Unavailable with what uv and pip said."""
    locked = ("--no-deps", "--require-hashes", "--requirement", str(lock))
    refusals = installing.install(locked, target.platform, into)
    if refusals:
        said = "\n".join(f"{refusal.installer}: {refusal.said[-600:]}" for refusal in refusals)
        raise Unavailable(
            f"Could not download what the Lambda functions are made of ({lock.name})\n{said}",
            "Check the connection to your package index and try again.",
        )


def uv_command(*arguments: str) -> list[str] | None:
    """None when there is no uv."""
    uv = installing.find_uv()
    return [uv, *arguments] if uv else None
