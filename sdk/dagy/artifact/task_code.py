"""What a task's code consists of, as digests: to tell later whether it changed, and what of it did.

A task consists of its function; of whatever that names in its file, directly or through what it names; of the
statements of its file that do more than bind names (they run on import, and may do anything); and of every local
module that any of these import, with what that imports. Comments and formatting of its own file do not count, nor do
the settings given to `@task`: retries do not change a result.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from dagy.artifact.collecting import follow, used_by
from dagy.artifact.project import Project
from dagy.artifact.statements import Statement, statements_of
from dagy.authoring.source import file_of, place_of
from dagy.core.errors import ArtifactSerializationError
from dagy.core.task_code import TaskCode
from dagy.results import JSON, JSON_TAGGED, encode

if TYPE_CHECKING:
    from dagy.authoring import Task

_DIGEST_CHARS: Final = 32


class _Unknown(Exception):
    """The code cannot be told from any file."""


def task_codes(tasks: Iterable[Task[..., Any]], *, as_in_files: bool = False) -> dict[str, TaskCode]:
    """By the tasks' names. Never fails: what cannot be told is `unknown`. With `as_in_files` the code is what the files
    say now, which is what an artifact ships, also when what was loaded is older.
    """
    reader = _Reader(Path.cwd(), as_in_files=as_in_files)
    return {task.name: reader.code_of(task) for task in tasks}


class _Reader:
    """Follows each import, and stamps each file, once."""

    def __init__(self, cwd: Path, *, as_in_files: bool) -> None:
        self._cwd, self._as_in_files = cwd, as_in_files
        self._modules: dict[tuple[Path, ...], dict[Path, str]] = {}
        self._modified_at_s: dict[Path, float] = {}

    def code_of(self, task: Task[..., Any]) -> TaskCode:
        place = place_of(task.fn)
        try:
            return self._read(task, place)
        except Exception as error:  # of files, or of whatever object the author's module holds
            return TaskCode(place, unknown=str(error) or type(error).__name__)

    def _read(self, task: Task[..., Any], place: str) -> TaskCode:
        fn = inspect.unwrap(task.fn)
        file, code = file_of(fn), getattr(fn, "__code__", None)
        if file is None or code is None:
            raise _Unknown("it has no source file")
        statements = statements_of(file)
        home = statements.home_of(code)
        if home is None:
            raise _edited(file)
        needed = statements.needed_by(home)
        modules = self._modules_of(file, [home, *needed], fn.__globals__)
        for path in (file, *modules):
            if not self._as_in_files and self._modified(path) > task.defined_at_s:
                raise _edited(path)
        own = f"{home.text}\n{task.validate_parameters}\n{_captured(fn, home)}"
        uses = {f"{name} in {file.name}": _digest(text) for name, text in _texts(needed).items()}
        uses |= {path.relative_to(_root(path, file)).as_posix(): digest for path, digest in modules.items()}
        return TaskCode(place, _digest(own), uses)

    def _modules_of(self, file: Path, statements: list[Statement], names: dict[str, Any]) -> dict[Path, str]:
        """The local modules, except the file itself, that statements of it import, and what these import."""
        project = Project.around(file, self._cwd)
        imports = [wanted for statement in statements for wanted in statement.imports]
        values = [names[name] for statement in statements for name in statement.binds or () if name in names]
        found: dict[Path, str] = {}
        for module in used_by(file, imports, values, project):
            if module.files not in self._modules:
                sources = follow(file, project, module.files).sources
                self._modules[module.files] = {path: _digest_of(data) for path, data in sources.items()}
            found |= self._modules[module.files]
        found.pop(file, None)
        return dict(sorted(found.items()))

    def _modified(self, path: Path) -> float:
        if path not in self._modified_at_s:
            self._modified_at_s[path] = path.stat().st_mtime
        return self._modified_at_s[path]


def _edited(path: Path) -> _Unknown:
    return _Unknown(f"{path.name} was edited after it was loaded")


def _texts(statements: Iterable[Statement]) -> dict[str, str]:
    """By what the statements are called; those that are called the same are one."""
    texts: dict[str, str] = {}
    for statement in statements:
        name = "the top level" if statement.binds is None else ", ".join(sorted(statement.binds))
        texts[name] = f"{texts.get(name, '')}{statement.text}\n"
    return texts


def _captured(fn: Callable[..., Any], home: Statement) -> str:
    """What a function made inside another one took along from there."""
    cells = getattr(fn, "__closure__", None) or ()
    return "\n".join(
        f"{name}={_captured_value(name, cell.cell_contents, home, fn.__code__.co_filename)}"
        for name, cell in zip(fn.__code__.co_freevars, cells, strict=True)
    )


def _captured_value(name: str, value: Any, home: Statement, filename: str) -> str:
    code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
    if isinstance(code, CodeType) and code.co_filename == filename and home.spans(code):
        return ""  # written in the same statement
    with suppress(ArtifactSerializationError):
        encoded = encode(value)
        if encoded.codec in (JSON, JSON_TAGGED):
            return encoded.sha256
    raise _Unknown(f"it is made inside a function, with '{name}' from there")


def _root(path: Path, file: Path) -> Path:
    """What paths are shown relative to: the nearest folder that both are in."""
    return next(folder for folder in file.parents if path.is_relative_to(folder))


def _digest(text: str) -> str:
    return _digest_of(text.encode("utf-8", errors="surrogatepass"))


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST_CHARS]
