"""Where Dagy keeps its state on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from dagy.core.errors import InvalidInput

_chosen: Final[ContextVar[Path | None]] = ContextVar("dagy.local_dir", default=None)


def local_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """What `using_local_dir` says, else `DAGY_LOCAL_DIR`, else `~/.dagy`. It need not exist.

    Raises: InvalidInput when nothing says where home is; an empty HOME would mean the root of the disk.
    """
    if (chosen := _chosen.get()) is not None:
        return chosen
    given = environ.get("DAGY_LOCAL_DIR")
    if not given and environ.get("HOME") == "":
        raise InvalidInput("HOME is empty", "Set it, or set DAGY_LOCAL_DIR to where Dagy shall keep its state.")
    return Path(given).expanduser() if given else Path.home() / ".dagy"


@contextmanager
def using_local_dir(path: Path) -> Iterator[None]:
    """In the block, and in this thread or task only, everything local is below `path`."""
    token = _chosen.set(path)
    try:
        yield
    finally:
        _chosen.reset(token)
