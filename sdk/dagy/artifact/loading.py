"""Loading flows: import a file under its real module name, and find the flow in it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from dagy.artifact.metadata import Metadata
from dagy.artifact.racy_bytecode import see_every_edit_in
from dagy.authoring.active import IMPORTING
from dagy.authoring.flows import Flow
from dagy.authoring.source import dotted_name, package_root
from dagy.core.errors import DagyError, FlowFileNotFound, FlowNotInFile, InvalidFlow, InvalidInput, ModuleUnloadable

AnyFlow = Flow[..., Any]

# The folders flows were loaded from in this process; modules from there make room for others of the same name.
_LOADED_ROOTS: Final[list[Path]] = []


def load_target(target: str) -> AnyFlow:
    """The flow that `<path>:<flow_fn>` names; `<path>` alone will do when the file holds exactly one.

    The file's modules are imported as usual, so loading it again gives the same flow. When another project with
    modules of the same names was loaded before, those names now mean this project's.

    Raises: InvalidInput (of a ValueError), FlowFileNotFound, FlowNotInFile, ModuleUnloadable; InvalidFlow when the
    module defines a task or flow wrongly.
    """
    path_text, name = split_target(target)
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise FlowFileNotFound(path_text)
    file = path.absolute().parent.resolve() / path.name
    roots = [package_root(file)]
    cwd = Path.cwd().resolve()
    if file.is_relative_to(cwd) and cwd != roots[0]:
        roots.append(cwd)
    module = _load(dotted_name(file), roots, file, shown=path_text)
    return _find(module, name, shown=path_text)


def load_extracted(folder: Path, metadata: Metadata) -> AnyFlow:
    """The flow of an artifact that `extract_artifact` put into `folder`.

    Raises: ModuleUnloadable with what stopped the import as its cause; FlowNotInFile.
    """
    folder = folder.resolve()
    roots = [folder / root for root in metadata.import_roots]
    module = _load(metadata.module, roots, folder / metadata.source, shown=metadata.source)
    return _find(module, metadata.function, shown=metadata.source)


def split_target(target: str) -> tuple[str, str | None]:
    path, colon, name = target.rpartition(":")
    if not colon and target.endswith(".py"):
        return target, None
    if not path or not name:
        raise InvalidInput(
            "Flow target must be in <path>:<flow_fn> format",
            f"Got {target!r}. For example: flows/etl.py:daily_etl, or flows/etl.py when it holds one flow.",
        )
    return path, name


def _load(name: str, roots: list[Path], file: Path, *, shown: str) -> ModuleType:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "dagy":
        raise InvalidFlow(f"The name of {shown} hides Python's own module '{top}'", "Rename the file.")
    _make_room(roots)
    token = IMPORTING.set(shown)
    try:
        module = importlib.import_module(name)
    except DagyError:
        raise
    except (Exception, SystemExit) as error:
        raise ModuleUnloadable(shown, f"{type(error).__name__}: {error}{_where(error, file)}") from error
    finally:
        IMPORTING.reset(token)
    found = getattr(module, "__file__", None)
    if found is None or not Path(found).samefile(file):
        raise ModuleUnloadable(shown, f"Module '{name}' was already loaded from {found}; rename one of them.")
    return module


def _make_room(roots: list[Path]) -> None:
    """Put `roots` first on the path, and forget what other projects loaded under names that exist in this one."""
    here = {entry.stem if entry.suffix == ".py" else entry.name for entry in roots[0].iterdir()}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in here and _is_of_another_project(name, module, roots[0]):
            del sys.modules[name]
    for root in reversed(roots):
        if str(root) in sys.path:
            sys.path.remove(str(root))
        sys.path.insert(0, str(root))
    if roots[0] not in _LOADED_ROOTS:
        _LOADED_ROOTS.append(roots[0])
    see_every_edit_in(roots)
    importlib.invalidate_caches()


def _is_of_another_project(name: str, module: ModuleType, root: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    expected = root.joinpath(*name.split("."))
    if name == "__main__" or any(Path(place) in (expected, expected.with_suffix(".py")) for place in places):
        return False
    return any(Path(places[-1]).is_relative_to(loaded) for loaded in _LOADED_ROOTS)


def _find(module: ModuleType, name: str | None, *, shown: str) -> AnyFlow:
    flows = {key: value for key, value in vars(module).items() if isinstance(value, Flow)}
    if name is not None:
        found = flows.get(name) or next((flow for flow in flows.values() if flow.name == name), None)
        if found is None:
            hint = f"'{name}' is there, but is no flow: decorate it with @flow." if hasattr(module, name) else None
            raise FlowNotInFile(name, shown, hint or _known(flows))
        return found
    own = {key: flow for key, flow in flows.items() if flow.fn.__module__ == module.__name__} or flows
    distinct = {id(flow): key for key, flow in own.items()}
    if not distinct:
        raise FlowNotInFile(None, shown, "Decorate a function with @flow.")
    if len(distinct) > 1:
        choices = ", ".join(f"{shown}:{key}" for key in distinct.values())
        raise InvalidInput(f"{shown} holds {len(distinct)} flows", f"Say which: {choices}")
    return own[next(iter(distinct.values()))]


def _known(flows: dict[str, AnyFlow]) -> str:
    return f"Its flows: {', '.join(flows)}" if flows else "It holds no flow: decorate a function with @flow."


def _where(error: BaseException, file: Path) -> str:
    """The line of the flow's file in which the import stopped."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""
