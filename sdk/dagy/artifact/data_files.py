"""Data files that an author adds to an artifact by glob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from dagy.core.errors import InvalidInput


def data_files(globs: Iterable[str], roots: Sequence[Path]) -> list[Path]:
    """The files that the globs match, each searched for in the first root where it matches anything. A folder stands
    for all files below it.

    Raises: InvalidInput for a glob that matches nothing or leads out of the project, and for links.
    """
    found: dict[Path, None] = {}
    for glob in globs:
        if not glob or PurePath(glob).is_absolute() or ".." in PurePath(glob).parts:
            raise InvalidInput(f"Include {glob!r} leads out of the project", "Give a path relative to the flow.")
        matches = next((matches for root in roots if (matches := sorted(_matches(root, glob)))), None)
        if matches is None:
            places = " or ".join(str(root) for root in roots)
            raise InvalidInput(f"Include {glob!r} matches no file", f"Looked in {places}.")
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(root: Path, glob: str) -> Iterator[Path]:
    for match in root.glob(glob):
        for path in [match, *match.rglob("*")] if match.is_dir() else [match]:
            _refuse_links(root, path)
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _refuse_links(root: Path, path: Path) -> None:
    relative = path.relative_to(root)
    for part in (path, *(root / parent for parent in relative.parents)):
        if part != root and part.is_symlink():
            raise InvalidInput(
                f"Include '{relative.as_posix()}' is a link, or behind one", "Copy the file into the project."
            )
