"""What the environment says about local runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dagy.core.errors import InvalidInput

DEFAULT_ARTIFACT_MAX_BYTES: Final = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`artifact_max_bytes` is the size a stored result may have; `is_verbose` shows on stderr what the run does."""

    artifact_max_bytes: int = DEFAULT_ARTIFACT_MAX_BYTES
    is_verbose: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> LocalSettings:
        """Raises: InvalidInput naming the variable."""
        return cls(
            artifact_max_bytes=_max_bytes(environ.get("DAGY_LOCAL_ARTIFACT_MAX_BYTES", "")),
            is_verbose=is_true(environ.get("DAGY_LOCAL_VERBOSE", "")),
        )


def is_true(text: str) -> bool:
    return text.strip().lower() in {"true", "1", "yes", "on"}


def _max_bytes(text: str) -> int:
    if not text.strip():
        return DEFAULT_ARTIFACT_MAX_BYTES
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise InvalidInput(
            f"DAGY_LOCAL_ARTIFACT_MAX_BYTES is {text!r}", "It is a number of bytes above 0; the default is 5242880."
        )
    return value
