"""Which modules a Python file asks for, read from its text: also in functions, also relative, also by
`import_module("name")` with the name written out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_CATCHES_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_IMPORTERS: Final = frozenset({"import_module", "__import__"})
# What a platform or version check looks at: which branch runs elsewhere is not known here.
_CONDITIONS: Final = frozenset({"version_info", "platform", "system", "os.name", "implementation"})


@dataclass(frozen=True, slots=True)
class Import:
    """`from ..a import b, c` is level 2, module `a`, names `b` and `c`; plain imports have no names. An optional one
    may fail: the code is prepared for it.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    is_optional: bool = False


def imports_of(source: bytes, filename: str) -> list[Import]:
    """In the order of the text. What only a type checker sees (`if TYPE_CHECKING:`) is left out.

    Raises: SyntaxError.
    """
    return imports_in(ast.parse(source, filename).body)


def imports_in(nodes: Sequence[ast.AST]) -> list[Import]:
    """As `imports_of`, of some statements."""
    return list(_in_block(nodes, is_optional=False))


def _in_block(nodes: Sequence[ast.AST], *, is_optional: bool) -> Iterator[Import]:
    for node in nodes:
        yield from _in_node(node, is_optional=is_optional)


def _in_node(node: ast.AST, *, is_optional: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, (), 0, node.lineno, is_optional)
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        yield Import(node.module or "", names, node.level, node.lineno, is_optional)
    elif isinstance(node, ast.Try) and any(map(_catches_import_errors, node.handlers)):
        # The handlers too: they hold the other choice, of which one is enough.
        yield from _in_block([*node.body, *node.handlers, *node.orelse], is_optional=True)
        yield from _in_block(node.finalbody, is_optional=is_optional)
    elif isinstance(node, ast.With) and any("suppress" in ast.unparse(item.context_expr) for item in node.items):
        yield from _in_block(node.body, is_optional=True)
    elif isinstance(node, ast.If):
        yield from _in_condition(node, is_optional=is_optional)
    else:
        if isinstance(node, ast.Call):
            yield from _by_name(node, is_optional=is_optional)
        yield from _in_block(list(ast.iter_child_nodes(node)), is_optional=is_optional)


def _in_condition(node: ast.If, *, is_optional: bool) -> Iterator[Import]:
    test = ast.unparse(node.test)
    if test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        yield from _in_block(node.orelse, is_optional=is_optional)
        return
    depends_on_machine = any(word in test for word in _CONDITIONS)
    yield from _in_block([node.test, *node.body, *node.orelse], is_optional=is_optional or depends_on_machine)


def _by_name(node: ast.Call, *, is_optional: bool) -> Iterator[Import]:
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    if function in _IMPORTERS and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and not name.value.startswith("."):
            yield Import(name.value, (), 0, node.lineno, is_optional)


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(caught).rpartition(".")[2] in _CATCHES_IMPORT_ERRORS for caught in types)
