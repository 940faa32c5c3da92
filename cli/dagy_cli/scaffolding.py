"""Writing new files, all or none, and never over what is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dagy.core.errors import Conflict


def create_folder(folder: Path, files: Mapping[str, str]) -> None:
    """The folder appears with all its files. An empty one that is there already is taken.

    Raises: Conflict when something is there; nothing is written then.
    """
    check_is_free(folder)
    staging = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        staging.mkdir()
        for path, text in files.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_text(text, encoding="utf-8")
        try:
            staging.rename(folder)  # the system refuses a folder with something in it
        except OSError:
            check_is_free(folder)
            raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def create_file(path: Path, text: str) -> None:
    """Raises: Conflict when something is there."""
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staging.write_text(text, encoding="utf-8")
        os.link(staging, path)
    except FileExistsError:
        check_is_free(path)
        raise
    finally:
        staging.unlink(missing_ok=True)


def check_is_free(path: Path) -> None:
    """Raises: Conflict."""
    if path.is_dir() and not path.is_symlink() and path.suffix != ".py":
        if any(path.iterdir()):
            raise Conflict(f"The folder {path} is not empty", "Choose another name, or move it away.")
    elif path.exists() or path.is_symlink():
        raise Conflict(f"{path} exists already", "Choose another name, or move it away.")
