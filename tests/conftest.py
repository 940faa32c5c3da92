"""For every suite: the same examples on every run, no deadline a busy machine could miss, no shared AWS session,
bytecode kept as every user has it, and Ctrl-C heard, also when the suite was started with `&` by a shell that ignores
it for what it starts so.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("dagy", derandomize=True, deadline=None)
settings.load_profile("dagy")

# A `dagy` that has to compile all it imports takes three times as long, and the suite starts a thousand.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


ROOT = Path(__file__).parent
WITH_CLOUD = ("e2e", "local_cloud")  # the folders that `make e2e` looks into


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("local_cloud") and item.path.relative_to(ROOT).parts[0] not in WITH_CLOUD:
        raise pytest.UsageError(f"{item.nodeid} needs the local cloud: tests that do are in {WITH_CLOUD}")


def pytest_collection_finish() -> None:
    """Seven thousand tests stay to the end: the collector of garbage need not look at them again and again."""
    gc.freeze()


def pytest_runtest_setup() -> None:
    """boto3's default session remembers the credentials it was made with, moto's for example. What describes the
    services is on disk and takes a quarter of a second to read, so all sessions that come share one reader of it.
    """
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]
        sys.modules["botocore.session"].create_loader = _shared_loader  # type: ignore[attr-defined]


@functools.cache
def _shared_loader(search_path_string: str | None = None) -> Any:
    from botocore.loaders import create_loader

    return create_loader(search_path_string)
