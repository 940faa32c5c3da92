"""Where a child finds the modules of its run's dependency packages.

Behind the flow's own code, Dagy's few modules and the standard library, in the order in which they were attached,
before Lambda's own boto3: as if each were a `site-packages` folder in front of the last one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dagy.packages.owned import OWNED


def put_on_path(folders: Sequence[Path]) -> None:
    """Modules that this process has loaded from elsewhere are forgotten when a package brings them, so the package's
    are imported. Not Dagy's own: what runs the flow must not change under it.
    """
    at = _behind_standard_library()
    sys.path[at:at] = map(str, folders)
    brought = {entry.name.partition(".")[0] for folder in folders for entry in folder.iterdir()}
    replaced = brought - OWNED - sys.stdlib_module_names
    for name in list(sys.modules):
        if name.partition(".")[0] in replaced:
            del sys.modules[name]


def _behind_standard_library() -> int:
    standard = Path(os.__file__).parent
    places = {str(standard), str(standard / "lib-dynload")}
    return max((at + 1 for at, entry in enumerate(sys.path) if entry in places), default=len(sys.path))
