"""Where a function was written: its file, its line, the module name under which others can import it."""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dagy.core.errors import InvalidFlow

_NOT_THE_AUTHORS: Final = (str(Path(__file__).parent.parent) + os.sep, str(Path(os.__file__).parent) + os.sep)
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def file_of(fn: Callable[..., Any]) -> Path | None:
    """The Python file that defines `fn`, absolute; None when there is none (a REPL, `exec`, a built-in)."""
    try:
        name = inspect.getsourcefile(inspect.unwrap(fn))
    except TypeError:
        return None
    if name is None:
        return None
    path = Path(name).absolute()
    return path.parent.resolve() / path.name if path.is_file() else None


def place_of(fn: Callable[..., Any]) -> str:
    """`flow.py:12`, for messages; the name of the module when there is no file."""
    path, code = file_of(fn), getattr(inspect.unwrap(fn), "__code__", None)
    if path is None or code is None:
        return str(getattr(fn, "__module__", None) or "an unknown place")
    return f"{path.name}:{code.co_firstlineno}"


def tell_line(error: InvalidFlow) -> None:
    """Begin the message of an error raised under a flow's body with the author's innermost line, the one that is not
    Dagy's, Python's or a library's: `flow.py:12: Task 'load' was given a generator`.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_the_authors(Path(frame.filename))]
    if frames and error.args == (error.message, error.hint):  # else it is about a file, and says which
        error.message = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: {error.message}"
        error.args = (error.message, error.hint)


def _is_the_authors(file: Path) -> bool:
    return not (str(file).startswith(_NOT_THE_AUTHORS) or _INSTALLED.intersection(file.parts))


def package_root(file: Path) -> Path:
    """The folder from which `file` is imported: the first one upwards that is not itself a package."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def dotted_name(file: Path) -> str:
    """`pipelines.etl` for a module of a package, `etl` for a file that stands alone."""
    parts = file.relative_to(package_root(file)).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def module_of(fn: Callable[..., Any]) -> str:
    """The module's importable name, also when it runs as a script and calls itself `__main__`."""
    module = getattr(fn, "__module__", None) or type(fn).__module__
    file = file_of(fn) if module == "__main__" else None
    return dotted_name(file) if file else str(module)


def import_path(fn: Callable[..., Any]) -> str:
    """`module:qualname`. A qualname with `<locals>` or `<lambda>` in it cannot be imported by others."""
    return f"{module_of(fn)}:{getattr(fn, '__qualname__', type(fn).__qualname__)}"
