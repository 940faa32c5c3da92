"""For every suite: the same examples on every run, no deadline a busy machine could miss, no shared AWS session."""

from __future__ import annotations

import sys

from hypothesis import settings

settings.register_profile("dagy", derandomize=True, deadline=None)
settings.load_profile("dagy")


def pytest_runtest_setup() -> None:
    """boto3's default session remembers the credentials it was made with, moto's for example."""
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]
