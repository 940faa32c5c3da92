"""Which of the files that wheels install are worth shipping: not bytecode, tests, scripts and an installer's notes.

Metadata stays, because `importlib.metadata` reads versions and entry points from it. A `tests` folder stays when code
outside of it imports from it, as numpy's does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LEFT_OUT_NAMES: Final = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
)
_LEFT_OUT_ON_TOP: Final = frozenset({"bin", "tests", ".lock"})  # scripts name the interpreter they were installed for
_TESTS: Final = "tests"
_IMPORT: Final = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([\w.]*\btests)\b", re.MULTILINE)


def chosen_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Paths below `root` with their files, in order."""
    wanted = _imported_tests(root)
    for name, path in _files(root):
        parts = name.split("/")
        folders = ["/".join(parts[: at + 1]) for at, part in enumerate(parts[:-1]) if part == _TESTS]
        if parts[0] in _LEFT_OUT_ON_TOP or any(folder not in wanted for folder in folders):
            continue
        yield name, path


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for file in files:
            path = Path(folder, file)
            is_metadata = folder.endswith(".dist-info")
            if path.suffix != ".pyc" and not (is_metadata and file in _LEFT_OUT_NAMES):
                yield path.relative_to(root).as_posix(), path


def _imported_tests(root: Path) -> frozenset[str]:
    """The `tests` folders, as paths below `root`, that code outside of any such folder imports from."""
    found: set[str] = set()
    for name, path in _files(root):
        parts = name.split("/")
        if path.suffix != ".py" or _TESTS in parts[:-1]:
            continue
        for match in _IMPORT.finditer(path.read_bytes()):
            dotted = match[1].decode()
            bare = dotted.lstrip(".")
            dots = len(dotted) - len(bare)
            above = parts[:-dots] if dots else []
            found.add("/".join([*above, *bare.split(".")]))
    return frozenset(found)
