"""Noticing that a file of a flow has changed: by looking again and again, which works on every disk there is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.artifact.collecting import files_by_text
from dagy.artifact.data_files import data_files
from dagy.artifact.project import Project
from dagy.core.errors import InvalidInput

SETTLING_S: Final = 0.05  # an editor, or git, may be in the middle of writing
MOST_SETTLING: Final = 20

Look = Mapping[Path, "tuple[int, int, int] | None"]
"""What could be told apart of each file at one moment; None: it is not there."""


@dataclass(frozen=True, slots=True)
class FlowFiles:
    """The flow's file, the local modules it imports, and the data files that the globs match: anew with each look,
    because an edit may import one more.
    """

    source: Path
    project: Project
    globs: Sequence[str]

    @classmethod
    def of(cls, source: Path, globs: Sequence[str]) -> FlowFiles:
        """Raises: InvalidInput for a glob that matches nothing."""
        file = source.expanduser().absolute()
        file = file.parent.resolve() / file.name
        project = Project.around(file, Path.cwd())
        data_files(globs, project.roots)
        return cls(file, project, globs)

    def look(self) -> Look:
        files = files_by_text(self.source, self.project)
        for glob in self.globs:
            with suppress(InvalidInput, OSError):  # nothing matches it any more
                files.update(data_files([glob], self.project.roots))
        return {file: _told_apart(file) for file in files}

    def settled(self, sleep: Callable[[float], None] = time.sleep) -> Look:
        """A look like the one before it: whoever writes has come to an end, or never will."""
        before = self.look()
        for _ in range(MOST_SETTLING):
            sleep(SETTLING_S)
            now = self.look()
            if now == before:
                break
            before = now
        return before

    def names(self, files: Sequence[Path]) -> str:
        """For people: relative to the project, the first few."""
        shown = [os.path.relpath(file) for file in files[:3]]
        return ", ".join(shown) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def changed(before: Look, now: Look) -> list[Path]:
    """Files that are new, gone or different."""
    return sorted(file for file in {*before, *now} if before.get(file) != now.get(file))


def _told_apart(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
