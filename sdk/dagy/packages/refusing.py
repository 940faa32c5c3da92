"""Why a requirements file cannot become a package, told by what its author can do about it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dagy.core.errors import DagyError, InvalidInput, NotFound, Unavailable
from dagy.core.platforms import Platform
from dagy.packages.installing import Refusal

MAX_REQUIREMENTS_BYTES: Final = 1024 * 1024
_SAID: Final = 1500
_NO_WHEEL: Final = re.compile(
    r"Wheels are required for `([^`]+)`"  # uv
    r"|Because (?:only )?([\w.\-]+)\S* has no (?:usable )?wheels"
    r"|Because ([\w.\-]+) was not found"
    r"|No matching distribution found for ([\w.\-]+)"  # pip
)
_CONFLICT: Final = re.compile(r"Because you require (\S+ and \S+?),|(conflicting dependencies|ResolutionImpossible)")
_UNREACHABLE: Final = re.compile(
    r"Failed to fetch|Could not connect|Failed to connect|Connection(?:Error| refused| broken)|NewConnectionError"
)
_NOISE: Final = re.compile(r"^\s*WARNING: Retrying .*\n", re.MULTILINE)


def check_readable(requirements: Path) -> None:
    """Raises: NotFound without the file; InvalidInput for one that cannot be a list of requirements."""
    if not requirements.is_file():
        raise NotFound("requirements file", str(requirements), "Give the path of a requirements.txt.")
    try:
        size_bytes = requirements.stat().st_size
        data = requirements.read_bytes() if size_bytes <= MAX_REQUIREMENTS_BYTES else b""
    except OSError as error:
        raise InvalidInput(f"{requirements} cannot be read: {error.strerror or error}") from None
    if size_bytes > MAX_REQUIREMENTS_BYTES:
        raise InvalidInput(
            f"{requirements} has {size_bytes:,} bytes, which is no list of requirements",
            f"At most {MAX_REQUIREMENTS_BYTES:,}: a distribution a line, such as pandas>=2.2.",
        )
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return  # installers read it
    if b"\0" in data or not _is_utf8(data):
        raise InvalidInput(f"{requirements} is no text in UTF-8", "A distribution a line, such as pandas>=2.2.")


def not_installable(requirements: Path, platform: Platform, refusals: Sequence[Refusal]) -> DagyError:
    """What the installers' own words mean: an index that does not answer, a name without a wheel, versions that exclude
    each other, else something in the file.
    """
    said = "\n".join(f"{refusal.installer}: {_end_of(refusal.said)}" for refusal in refusals)
    if any(_UNREACHABLE.search(refusal.said) for refusal in refusals):
        return Unavailable(
            f"Could not download what {requirements} asks for\n{said}", "Check the connection to your package index."
        )
    if any(_CONFLICT.search(refusal.said) for refusal in refusals):
        return InvalidInput(
            f"What {requirements} asks for excludes each other\n{said}",
            "Loosen one of the versions, or create two packages and attach each to other deployments.",
        )
    for refusal in refusals:
        if found := _NO_WHEEL.search(refusal.said):
            return InvalidInput(
                f"No wheel of {next(filter(None, found.groups()))} fits {platform.name}\n{said}",
                "Nothing is built from source. Ask for a version that has a wheel for that platform, leave it out, or "
                "build a wheel there and name its folder with --find-links in the file.",
            )
    return InvalidInput(
        f"Could not install what {requirements} asks for\n{said}", "Check the names and versions in it."
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _end_of(said: str) -> str:
    """Whole lines of it: why comes last."""
    told = _NOISE.sub("", said)
    return told if len(told) <= _SAID else told[-_SAID:].partition("\n")[2]
