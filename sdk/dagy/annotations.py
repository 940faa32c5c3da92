"""What a type annotation means for a value: how people write it, its JSON schema, and values converted to it.

Annotations are whatever authors write. One that cannot be understood (a name only known to a type checker, a
construct msgspec does not support) asks for nothing: it never makes a flow fail.

Pydantic's models convert and describe themselves, by Pydantic's own rules. Pydantic is never imported here: whoever has
a model has imported it.
"""

from __future__ import annotations

import inspect
import operator
import sys
import types
import typing
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, Literal, Union

import msgspec

_PATH_SCHEMA: Final = {"type": "string", "format": "path"}
_UNIONS: Final = (Union, types.UnionType)


class DoesNotFit(Exception):
    """The value is not of the type, and cannot be made so. `reason` adds to "got X" when there is more to say."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


def annotations_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """The evaluated annotations of a function; those that cannot be evaluated are left out."""
    plain = inspect.unwrap(fn)
    hints = _hints(plain)
    if hints is not None:
        return hints
    found: dict[str, Any] = {}  # one of them is bad: take them one by one
    for name, annotation in _written(plain).items():
        probe = types.FunctionType(_empty.__code__, getattr(plain, "__globals__", {}))
        probe.__annotations__ = {name: annotation}
        found.update(_hints(probe) or {})
    return found


def _written(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return inspect.get_annotations(fn)
    except Exception:  # from Python 3.14 on, reading them evaluates them
        return {}


def _hints(fn: Callable[..., Any]) -> dict[str, Any] | None:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except Exception:
        return None


def type_text(annotation: Any) -> str:
    """`dict[str, int] | None`: the annotation as a person would write it, without modules."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin in _UNIONS:
        return " | ".join(type_text(argument) for argument in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None and arguments:
        return f"{type_text(origin)}[{', '.join(map(_argument_text, arguments))}]"
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def schema_of(annotation: Any) -> dict[str, Any]:
    """The JSON schema of values that `convert` accepts from JSON; `{}`, which allows all, when there is none."""
    try:
        return msgspec.json.schema(annotation, schema_hook=_custom_schema)
    except Exception:
        return {}


def convert(value: Any, annotation: Any) -> Any:
    """`value` as `annotation` wants it: text as a date, an int as a float, a dict as a dataclass.

    What already is of the type comes back as it is; containers with declared contents come back rebuilt.

    Raises: DoesNotFit.
    """
    if annotation is Any or type(value) is annotation or _is_instance(value, annotation):
        return value
    try:
        return msgspec.convert(value, annotation, dec_hook=_custom)
    except msgspec.ValidationError as error:
        return _number(value, annotation, str(error))
    except Exception:  # msgspec does not support the annotation
        return _by_hand(value, annotation)


def described(value: Any) -> str:
    """A value for an error message: its type, and its text when that is short."""
    text = repr(value)
    name = type(value).__name__
    return f"{text} ({name})" if len(text) <= 60 and isinstance(value, (str, int, float, bool)) else name


def _is_instance(value: Any, annotation: Any) -> bool:
    """True for an instance of a plain class; a bool is no number here."""
    if not isinstance(annotation, type) or typing.get_origin(annotation) is not None:
        return False
    if isinstance(value, bool) and annotation in (int, float):
        return False
    try:
        return isinstance(value, annotation)
    except TypeError:  # a protocol that cannot be checked at run time
        return False


def _number(value: Any, annotation: Any, complaint: str) -> Any:
    """Numbers that are not Python's own, such as NumPy's, where a number is wanted."""
    if not isinstance(value, (bool, str, bytes)):
        if annotation is int and hasattr(type(value), "__index__"):
            return operator.index(value)
        if annotation is float and hasattr(type(value), "__float__"):
            return float(value)
    raise DoesNotFit("" if complaint.startswith("Expected") and "`$" not in complaint else complaint.replace("`", ""))


def _by_hand(value: Any, annotation: Any) -> Any:
    """Unions msgspec does not read are tried member by member; a class is checked; the rest is not."""
    if typing.get_origin(annotation) in _UNIONS:
        members = typing.get_args(annotation)
        for member in sorted(members, key=lambda member: not _is_instance(value, member)):
            try:
                return convert(value, member)
            except DoesNotFit:
                continue
        raise DoesNotFit
    return value


def _custom(wanted: Any, value: Any) -> Any:
    """What msgspec asks about a value that is not an instance of a class it does not know itself."""
    if isinstance(wanted, type) and issubclass(wanted, PurePath) and isinstance(value, str):
        return wanted(value)
    if (pydantic := _pydantic_of(wanted)) is not None:
        try:
            return wanted.model_validate(value)
        except pydantic.ValidationError as error:
            raise msgspec.ValidationError(_complaints(error)) from None
    try:
        if isinstance(value, typing.get_origin(wanted) or wanted):
            return value
    except TypeError:  # a protocol that cannot be checked at run time
        return value
    raise msgspec.ValidationError(f"Expected {type_text(wanted)}, got {type(value).__name__}")


def _custom_schema(wanted: type) -> dict[str, Any]:
    if isinstance(wanted, type) and issubclass(wanted, PurePath):
        return _PATH_SCHEMA
    if _pydantic_of(wanted) is not None:
        schema: dict[str, Any] = wanted.model_json_schema()  # type: ignore[attr-defined]
        # References would point to a place that is not theirs; the flow itself checks what is inside.
        return {"type": "object"} if "$defs" in schema else schema
    raise NotImplementedError


def _pydantic_of(wanted: Any) -> Any:
    """The module, when `wanted` is a model of it."""
    pydantic = sys.modules.get("pydantic")
    is_model = pydantic is not None and isinstance(wanted, type) and issubclass(wanted, pydantic.BaseModel)
    return pydantic if is_model else None


def _complaints(error: Any) -> str:
    """`amount: Input should be a valid number; name: Field required`"""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"]))) for problem in error.errors()
    )


def _argument_text(argument: Any) -> str:
    if isinstance(argument, list):  # of Callable
        return f"[{', '.join(map(type_text, argument))}]"
    return type_text(argument)


def _empty() -> None: ...
