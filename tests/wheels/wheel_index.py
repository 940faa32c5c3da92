"""A folder of wheels, which stands for a package index, and requirements files that ask it and nobody else."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


class WheelIndex:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def __call__(
        self,
        name: str,
        version: str = "1.0",
        tag: str = "py3-none-any",
        *,
        needs: str = "",
        files: Mapping[str, str] | None = None,
    ) -> Path:
        """Write a wheel of one module, unless `files` (path → text) replaces it or adds to it."""
        path = self.folder / f"{name}-{version}-{tag}.whl"
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        members = {
            f"{name}/__init__.py": f"version = {version!r}\n",
            **(files or {}),
            f"{info}/METADATA": metadata + (f"Requires-Dist: {needs}\n" if needs else ""),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
        return path

    def requirements(self, path: Path, *lines: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["--no-index", f"--find-links {self.folder}", *lines, ""]))
        return path
