"""Where Dagy keeps its state on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def local_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`DAGY_LOCAL_DIR`, else `~/.dagy`. It need not exist."""
    given = environ.get("DAGY_LOCAL_DIR")
    return Path(given).expanduser() if given else Path.home() / ".dagy"
