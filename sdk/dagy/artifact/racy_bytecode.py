"""No bytecode is kept of a file that can still be edited unseen.

Python takes bytecode for a file's as long as the file has the size it had, and was changed in the same second. So an
edit that keeps the size, within the second of the one that was imported, would never be run: not by `dagy dev`, not
by the next `dagy run`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from typing import Any, Final

_COARSE_S: Final = 0.1  # the clock of file systems lags behind


class _Loader(SourceFileLoader):
    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        if time.time() >= int(Path(self.path).stat().st_mtime) + 1 + _COARSE_S:
            super().set_data(path, data, _mode=_mode)


_hook: Final = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Loader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
)


def see_every_edit_in(roots: Iterable[Path]) -> None:
    """Whatever is imported from `roots` and from folders that nothing was imported from yet. A repeat does nothing."""
    if _hook not in sys.path_hooks:
        sys.path_hooks.insert(0, _hook)
        for root in roots:
            sys.path_importer_cache.pop(str(root), None)
