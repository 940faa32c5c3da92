"""The statements at the top level of a Python file: what each means, and which of them a function needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType
from typing import Final

from dagy.artifact.importing import Import, imports_in

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_NOT_RUN_BY_IMPORTING: Final = frozenset({"__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING"})


class Statement:
    """`binds` are the names it gives a meaning; None when it does other things too."""

    def __init__(self, node: ast.stmt, settings: frozenset[str] = frozenset()) -> None:
        self.binds = _bound(node)
        self.first_line = _first_line(node)
        self.last_line = node.end_lineno or node.lineno
        self._node = node
        self._settings = settings

    @cached_property
    def text(self) -> str:
        """Without comments, formatting, and the decorators called like one of `settings`."""
        return ast.unparse(self._meant)

    @cached_property
    def imports(self) -> list[Import]:
        return imports_in([self._node])

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every name in it, those in quotes too: annotations may be."""
        return frozenset(_names_in(self._meant))

    def holds(self, code: CodeType) -> bool:
        """Whether the function is written here."""
        return self.spans(code) and any(_is_of(node, code) for node in ast.walk(self._node))

    def spans(self, code: CodeType) -> bool:
        return self.first_line <= code.co_firstlineno <= self.last_line

    def only(self, used: frozenset[str]) -> Statement:
        """Of an import, what is used; any other statement as it is."""
        if not isinstance(self._node, _IMPORTS):
            return self
        kept = [alias for alias in self._node.names if alias.name == "*" or _name_of(alias) in used]
        if isinstance(self._node, ast.Import):
            return Statement(ast.copy_location(ast.Import(kept), self._node))
        return Statement(ast.copy_location(ast.ImportFrom(self._node.module, kept, self._node.level), self._node))

    @cached_property
    def _meant(self) -> ast.stmt:
        node = self._node
        if not isinstance(node, _FUNCTIONS):
            return node
        kept = [decorator for decorator in node.decorator_list if _called(decorator) not in self._settings]
        if len(kept) == len(node.decorator_list):
            return node
        fields = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
        return ast.copy_location(type(node)(**{**fields, "decorator_list": kept}), node)


class Statements:
    """Of one file, in their order."""

    def __init__(self, tree: ast.Module) -> None:
        settings = frozenset(_names_of_task(tree.body))
        self._all = [Statement(node, settings) for node in tree.body]
        self._binding: dict[str, list[int]] = {}
        for at, statement in enumerate(self._all):
            for name in statement.binds or ():
                self._binding.setdefault(name, []).append(at)
        self._loose = [at for at, statement in enumerate(self._all) if statement.binds is None]

    def home_of(self, code: CodeType) -> Statement | None:
        """The statement that holds a function, None when it is not in the file (any more)."""
        return next((statement for statement in self._all if statement.holds(code)), None)

    def needed_by(self, home: Statement) -> list[Statement]:
        """Those that one needs, without itself, in order: what binds a name that it mentions, or that such a one
        mentions; and those that do other things than binding names, which may be anything.
        """
        first = self._all.index(home)
        seen = {first, *self._loose}
        queue = list(seen)
        used: set[str] = set()
        while queue:
            for name in self._all[queue.pop()].mentions - used:
                used.add(name)
                new = [at for at in self._binding.get(name, ()) if at not in seen]
                seen.update(new)
                queue += new
        return [self._all[at].only(frozenset(used)) for at in sorted(seen - {first})]


def statements_of(file: Path) -> Statements:
    """Read again only when the file was written since. Raises: OSError, SyntaxError, ValueError."""
    found = file.stat()
    return _read(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=32)
def _read(file: Path, modified_at_ns: int, size_bytes: int) -> Statements:
    return Statements(ast.parse(file.read_bytes(), str(file)))


def _names_of_task(nodes: Sequence[ast.stmt]) -> Iterator[str]:
    """What this file calls Dagy's `task`."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "dagy":
            yield from (_name_of(alias) for alias in node.names if alias.name == "task")
        elif isinstance(node, ast.Import):
            yield from (f"{_name_of(alias)}.task" for alias in node.names if alias.name == "dagy")


def _called(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _bound(node: ast.stmt) -> frozenset[str] | None:
    """The names a statement gives a meaning, when that is all it does."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return frozenset({node.name})
    if isinstance(node, _IMPORTS):
        names = {_name_of(alias) for alias in node.names}
        return None if "*" in names else frozenset(names)
    if isinstance(node, ast.Assign):
        return _targets(node.targets)
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        return _targets([node.target])
    if isinstance(node, ast.If) and ast.unparse(node.test) in _NOT_RUN_BY_IMPORTING:
        return frozenset()
    if isinstance(node, (ast.If, ast.Try)):
        return _bound_by_all(node)
    is_nothing = isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    return frozenset() if is_nothing else None


def _bound_by_all(node: ast.If | ast.Try) -> frozenset[str] | None:
    inner = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
    inner += [part for handler in getattr(node, "handlers", ()) for part in handler.body]
    names: frozenset[str] = frozenset()
    for found in map(_bound, inner):
        if found is None:
            return None
        names |= found
    return names


def _targets(nodes: Iterable[ast.expr]) -> frozenset[str] | None:
    names: set[str] = set()
    for node in nodes:
        inner = _targets(node.elts) if isinstance(node, (ast.Tuple, ast.List)) else None
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif inner is not None:
            names |= inner
        else:
            return None
    return frozenset(names)


def _name_of(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _names_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            yield part.value


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _is_of(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, _FUNCTIONS):
        return node.name == code.co_name and _first_line(node) == code.co_firstlineno
    return isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
