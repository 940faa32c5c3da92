"""The short names of dependency packages: eight characters that stand for what is in one."""

from __future__ import annotations

import re
from typing import Final

from dagy.core.errors import InvalidInput

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: without I, L, O and U, which are misread
_LENGTH: Final = 8
_MISREAD: Final = str.maketrans("ILO", "110")
SLUG_PATTERN: Final = f"[{_ALPHABET}]{{{_LENGTH}}}"


def slug_of(sha256: str) -> str:
    """The first 40 bits of a hex digest, so the same contents have the same slug everywhere."""
    number = int(sha256[:10], 16)
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))


def checked_slug(text: str) -> str:
    """The slug that somebody typed: small letters are meant as capitals, I and L as 1, O as 0.

    Raises: InvalidInput.
    """
    slug = text.upper().translate(_MISREAD)
    if not re.fullmatch(SLUG_PATTERN, slug):
        raise InvalidInput(
            f"Invalid dependency package {text[:50]!r}",
            "A slug has eight letters and digits, like A1B2C3D4: dagy packages list",
        )
    return slug
