"""For every suite: the same examples on every run, no deadline a busy machine could miss, no shared AWS session,
bytecode kept as every user has it, and Ctrl-C heard, also when the suite was started with `&` by a shell that ignores
it for what it starts so.
"""

from __future__ import annotations

import os
import signal
import sys

from hypothesis import settings

settings.register_profile("dagy", derandomize=True, deadline=None)
settings.load_profile("dagy")

# A `dagy` that has to compile all it imports takes three times as long, and the suite starts a thousand.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """boto3's default session remembers the credentials it was made with, moto's for example."""
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]
