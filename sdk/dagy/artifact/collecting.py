"""Which files a flow consists of: its own, and every local module it imports, directly or not."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from dagy.artifact.importing import Import, imports_of
from dagy.artifact.project import Found, Project
from dagy.core.errors import InvalidFlow


@dataclass(slots=True)
class Collection:
    """`sources` are the local files and their content. `external` are the top-level modules they import that are
    installed, those they cannot do without. `missing` tells of imports that lead nowhere. `is_wide`: something is
    imported from the second root.
    """

    project: Project
    sources: dict[Path, bytes] = field(default_factory=dict)
    external: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    is_wide: bool = False


def collect(source: Path, project: Project, *, also: Iterable[Path] = ()) -> Collection:
    """Follow the imports in the text of `source` and of the files `also`, and what their modules, as far as they are
    loaded, hold of other local modules (that shows imports by computed names).

    Raises: InvalidFlow naming module, file and line of every import that is found nowhere.
    """
    collection = follow(source, project, [source, *_packages_above(source, project), *also])
    if collection.missing:
        raise InvalidFlow(
            "; ".join(collection.missing),
            "Install it, add the file to the project, or catch the ImportError if the flow can do without.",
        )
    return collection


def follow(source: Path, project: Project, files: Iterable[Path]) -> Collection:
    """`files` of the project of `source`, and what they import, directly or not. Imports found nowhere are `missing`.

    Raises: InvalidFlow for a file that is no Python.
    """
    collection = Collection(project)
    loaded = {module.__file__: module for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    queue = deque(files)
    while queue:
        file = queue.popleft()
        if file in collection.sources:
            continue
        collection.sources[file] = file.read_bytes()
        for found in [*_imported(file, collection), *_held(loaded.get(str(file)), source, project)]:
            collection.is_wide |= found.root != project.roots[0]
            queue.extend(found.files)
    return collection


def files_by_text(source: Path, project: Project) -> set[Path]:
    """The files a flow consists of, as far as text tells, read as they stand: one that is no Python is among them, and
    what it imports is not. One that is gone is there as well, should it come back.
    """
    found: set[Path] = set()
    queue = deque([source, *_packages_above(source, project)])
    while queue:
        file = queue.popleft()
        if file in found:
            continue
        found.add(file)
        collection = Collection(project)
        with suppress(InvalidFlow, OSError):
            collection.sources[file] = file.read_bytes()
            for local in _imported(file, collection):
                queue.extend(local.files)
    return found


def used_by(file: Path, imports: Iterable[Import], values: Iterable[Any], project: Project) -> Iterator[Found]:
    """The local modules that some `imports` of a file, and some `values` among its globals, come from."""
    collection = Collection(project)
    for wanted in imports:
        if wanted.level or project.find(wanted.module.partition(".")[0]):
            yield from _local(wanted, file, collection)
    for value in values:
        found = _home_of(value, project)
        if found is not None and found.files[0] != file:
            yield found


def _packages_above(source: Path, project: Project) -> Iterator[Path]:
    for folder in source.parents:
        if folder == project.roots[0]:
            return
        yield folder / "__init__.py"


def _imported(file: Path, collection: Collection) -> Iterator[Found]:
    try:
        imports = imports_of(collection.sources[file], str(file))
    except SyntaxError as error:
        raise InvalidFlow(f"{file.name}:{error.lineno}: {error.msg}", "Correct the file.") from error
    for wanted in imports:
        if wanted.level or collection.project.find(wanted.module.partition(".")[0]):
            yield from _local(wanted, file, collection)
        else:
            _note_external(wanted, file, collection)


def _local(wanted: Import, file: Path, collection: Collection) -> Iterator[Found]:
    found = _find(wanted, file, collection.project, "")
    if found is None:
        _note_missing(wanted, wanted.module, file, collection)
        return
    yield found
    for name in wanted.names:
        submodule = _find(wanted, file, collection.project, name) if name != "*" else None
        if submodule is not None:
            yield submodule
        elif found.is_namespace:
            _note_missing(wanted, f"{wanted.module}.{name}".lstrip("."), file, collection)


def _find(wanted: Import, file: Path, project: Project, name: str) -> Found | None:
    module = ".".join(part for part in (wanted.module, name) if part)
    if wanted.level:
        return project.find_relative(file, level=wanted.level, module=module)
    return project.find(module)


def _note_external(wanted: Import, file: Path, collection: Collection) -> None:
    top = wanted.module.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("dagy", "__main__"):
        return
    if not _is_importable(top):
        _note_missing(wanted, wanted.module, file, collection)
    elif not wanted.is_optional:
        collection.external.add(top)


def _note_missing(wanted: Import, module: str, file: Path, collection: Collection) -> None:
    if not wanted.is_optional:
        root = next(root for root in collection.project.roots if file.is_relative_to(root))
        shown = f"{'.' * wanted.level}{module}"
        place = f"{file.relative_to(root).as_posix()}:{wanted.line}"
        collection.missing.append(f"Module '{shown}' is imported at {place}, but found nowhere")


def _is_importable(top: str) -> bool:
    try:
        return top in sys.modules or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _held(module: ModuleType | None, source: Path, project: Project) -> Iterator[Found]:
    """Local modules that the globals of a loaded module show: modules, and the homes of functions and classes.

    A package above the flow holds every module of it that anybody loaded; those say nothing about this flow.
    """
    if module is None:
        return
    file = Path(str(module.__file__))
    is_above = file.name == "__init__.py" and source.is_relative_to(file.parent)
    for value in list(vars(module).values()):
        name = _home_name(value)
        if name is None or name == module.__name__ or (is_above and name.startswith(f"{module.__name__}.")):
            continue
        found = _home_of(value, project)
        if found is not None:
            yield found


def _home_name(value: Any) -> str | None:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name if isinstance(name, str) and name != "builtins" else None


def _home_of(value: Any, project: Project) -> Found | None:
    """The local module that a value is, or was written in."""
    name = _home_name(value)
    found = project.find(name) if name is not None else None
    home = getattr(sys.modules.get(name or ""), "__file__", None)
    return found if found is not None and found.files and home == str(found.files[0]) else None
