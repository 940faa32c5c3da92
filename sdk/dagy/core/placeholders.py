"""Stand-ins for values that do not exist while a flow is traced: whoever looks into one is told so at once.

A flow's body runs once, to find out which task calls it makes. Code such as `f"s3://{date}"` or `if rows > 0:`
in it would silently use the stand-in instead of the value, so every way of looking is refused. Passing a stand-in
on, storing it, `is`, `repr` and `copy` are not looking.
"""

from __future__ import annotations

from typing import Any, Final, Mapping, NoReturn

from dagy.core.errors import ValueNotKnown

_CALCULATIONS = [
    "add",
    "sub",
    "mul",
    "matmul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
]

_LOOKS: Final[Mapping[str, str]] = {
    "__bool__": "tests the truth of",
    "__str__": "makes text of",
    "__format__": "makes text of",
    "__bytes__": "makes bytes of",
    "__fspath__": "makes a path of",
    "__int__": "makes a number of",
    "__float__": "makes a number of",
    "__complex__": "makes a number of",
    "__index__": "counts with",
    "__round__": "rounds",
    "__len__": "takes the length of",
    "__iter__": "iterates over",
    "__reversed__": "iterates over",
    "__contains__": "searches",
    "__getitem__": "indexes",
    "__hash__": "looks something up with",
    **dict.fromkeys(("__eq__", "__lt__", "__le__", "__gt__", "__ge__"), "compares"),
    **{f"__{side}{name}__": "calculates with" for name in _CALCULATIONS for side in ("", "r")},
    **dict.fromkeys(("__neg__", "__pos__", "__abs__", "__invert__", "__divmod__", "__rdivmod__"), "calculates with"),
}


class Placeholder:
    """Base of the stand-ins. Every look ends in `ValueNotKnown`."""

    __slots__ = ()

    def _told(self) -> tuple[str, str]:
        """What this stands for, as the start of a message, and the hint that goes with it."""
        raise NotImplementedError

    def _refuse(self, look: str) -> NoReturn:
        what, hint = self._told()
        raise ValueNotKnown(f"{what}, and the flow's body {look} it", hint)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # protocols ask for these: copy, pickle, dataclasses, debuggers
            raise AttributeError(name)
        self._refuse(f"reads '.{name}' of")


def _refusing(method: str, look: str) -> Any:
    def refuse(self: Placeholder, *_: Any) -> NoReturn:
        self._refuse(look)

    refuse.__name__ = method
    return refuse


for _method, _look in _LOOKS.items():
    setattr(Placeholder, _method, _refusing(_method, _look))
