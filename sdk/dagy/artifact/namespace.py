"""Where a flow's source stands, as the namespace it gets unless its author names one."""

from __future__ import annotations

import re
from pathlib import Path


def derived_namespace(source: Path, cwd: Path) -> str:
    """The folder of `source` relative to `cwd`; outside of it, relative to its git root; else nothing.

    Characters that cannot stand in a namespace become '-'.
    """
    folder, here = source.resolve().parent, cwd.resolve()
    if folder.is_relative_to(here):
        relative = folder.relative_to(here)
    else:
        root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
        relative = folder.relative_to(root)
    return "/".join(re.sub(r"[^A-Za-z0-9_.\-]|^\.+", "-", part) for part in relative.parts)
