"""A project: the folders its modules are imported from, and which file a module name means there."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.authoring.source import package_root

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Found:
    """A local module: where it was found, its own file first (a folder without `__init__.py` has none), then the
    `__init__.py` of each package above it.
    """

    root: Path
    files: tuple[Path, ...]
    is_namespace: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """`roots` are searched in order: the folder the flow's file is imported from, then, when that is below it, the
    current directory.
    """

    roots: tuple[Path, ...]

    @classmethod
    def around(cls, source: Path, cwd: Path) -> Project:
        root, here = package_root(source), cwd.resolve()
        return cls((root, here) if root.is_relative_to(here) and root != here else (root,))

    def find(self, module: str) -> Found | None:
        """The local files of a module; None when it is Python's own, installed, or nowhere."""
        parts = module.split(".")
        if parts[0] in sys.stdlib_module_names or parts[0] == "dagy" or not all(parts):
            return None
        return next((found for root in self.roots if (found := _find_in(root, parts))), None)

    def find_relative(self, file: Path, *, level: int, module: str) -> Found | None:
        """What `from ..module import …` in `file` means, with as many dots as `level`."""
        folder = file.parents[level - 1] if level <= len(file.parents) else file.parent
        root = next((root for root in self.roots if folder.is_relative_to(root)), None)
        if root is None or (folder == root and not (folder / "__init__.py").is_file()):
            return None  # beyond the top-level package
        if module:
            return _find_below(root, folder, module.split("."))
        init = folder / "__init__.py"
        return Found(root, (init,)) if init.is_file() else Found(root, (), is_namespace=True)


def _find_in(root: Path, parts: list[str]) -> Found | None:
    top = root / parts[0]
    is_namespace = not (top / "__init__.py").is_file() and not top.with_name(f"{parts[0]}.py").is_file()
    if is_namespace and (not top.is_dir() or _is_regular_elsewhere(parts[0])):
        return None
    return _find_below(root, root, parts)


def _find_below(root: Path, folder: Path, parts: list[str]) -> Found | None:
    packages: list[Path] = []
    for part in parts[:-1]:
        folder = folder / part
        if (folder / "__init__.py").is_file():
            packages.insert(0, folder / "__init__.py")
        elif not folder.is_dir():
            return None
    package, module = folder / parts[-1] / "__init__.py", folder / f"{parts[-1]}.py"
    file = next((candidate for candidate in (package, module) if candidate.is_file()), None)
    if file is None and not (folder / parts[-1]).is_dir():
        return None
    if _is_installed(root, package.parent):
        return None
    return Found(root, (file, *packages) if file else tuple(packages), is_namespace=file is None)


def _is_regular_elsewhere(top: str) -> bool:
    """A folder without `__init__.py` loses to any real module of its name that is installed."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _is_installed(root: Path, path: Path) -> bool:
    """Whether `path` belongs to a virtual environment or an installation inside the project."""
    between = path.relative_to(root).parts
    folders = [root.joinpath(*between[:depth]) for depth in range(1, len(between))]
    return bool(_INSTALLED.intersection(between)) or any((folder / "pyvenv.cfg").is_file() for folder in folders)
