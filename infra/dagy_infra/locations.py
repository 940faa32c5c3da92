"""Where Dagy keeps what it builds and installs for itself: below `build/` in a checkout, else in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


def checkout() -> Path | None:
    """The root of the repository when this package runs from one, None when it was installed."""
    return _CHECKOUT if (_CHECKOUT / "cdk.json").is_file() else None


def cache_dir() -> Path:
    """`DAGY_CACHE_DIR`, else `$XDG_CACHE_HOME/dagy`, else `~/.cache/dagy`. Everything in it can be made again."""
    if chosen := os.environ.get("DAGY_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dagy"


def assets_dir() -> Path:
    """Where the Lambda zips are built to and where the stacks look for them."""
    if chosen := os.environ.get("DAGY_ASSETS_DIR"):
        return Path(chosen)
    root = checkout()
    return root / "build" / "lambda" if root else cache_dir() / "lambda"
