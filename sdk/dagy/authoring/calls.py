"""Arguments against signatures: do they fit, and what do the annotations make of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from dagy.annotations import DoesNotFit, annotations_of, convert, described, type_text
from dagy.core.errors import InvalidInput, MissingParameter, ParameterTypeError, UnknownParameter
from dagy.core.refs import placeholders_in

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Signature:
    """The parameters of one function. Read when first needed, because annotations may name what comes later in the
    module.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn

    def check_shape(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raises: TypeError, as calling the function would, when there are too many, too few or unknown arguments."""
        if self._signature is not None and not self._fits_by_position(args, kwargs):
            self._signature.bind(*args, **kwargs)

    def converted(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Every argument converted to its annotation; defaults are left to the function.

        Raises: TypeError for arguments of the wrong shape, ParameterTypeError for one of the wrong type.
        """
        if self._signature is None:
            return args, dict(kwargs)
        if self._fits_by_position(args, kwargs):
            return tuple(map(self._converted_value, self._signature.parameters, args)), {}
        bound = self._signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[name] = tuple(self._converted_value(name, item) for item in value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                bound.arguments[name] = {key: self._converted_value(name, item) for key, item in value.items()}
            else:
                bound.arguments[name] = self._converted_value(name, value)
        return bound.args, bound.kwargs

    def _converted_value(self, name: str, value: Any) -> Any:
        annotation = self._annotations.get(name, Any)
        try:
            return convert(value, annotation)
        except DoesNotFit as misfit:
            got = f"{described(value)}: {misfit.reason}" if misfit.reason else described(value)
            raise ParameterTypeError(name, type_text(annotation), got) from None

    def named(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, stand_in: Callable[[str], Any] | None, validate: bool
    ) -> dict[str, Any]:
        """A flow's parameters by name, in declared order, defaults included. `stand_in` makes what takes the place
        of a missing one. Stand-ins, and data with stand-ins inside, have no type yet and stay as they are.

        Raises: UnknownParameter, MissingParameter (when there is no `stand_in`), ParameterTypeError, InvalidInput.
        """
        parameters = {} if self._signature is None else self._signature.parameters
        given = _by_name(parameters, args, kwargs)
        values = {}
        for name, parameter in parameters.items():
            if name in given:
                is_known = validate and next(placeholders_in(given[name]), None) is None
                values[name] = self._converted_value(name, given[name]) if is_known else given[name]
            elif parameter.default is not parameter.empty:
                values[name] = parameter.default
            elif stand_in is not None:
                values[name] = stand_in(name)
            else:
                raise MissingParameter(name, type_text(self._annotations.get(name, Any)))
        return values

    def _fits_by_position(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """The usual call, for which `inspect.Signature.bind` takes ten times as long."""
        fewest, most = self._positional
        return not kwargs and fewest <= len(args) <= most

    @cached_property
    def _positional(self) -> tuple[int, int]:
        """How few and how many positional arguments are enough for a call without any others; `(1, 0)` if never."""
        parameters = () if self._signature is None else tuple(self._signature.parameters.values())
        if any(parameter.kind not in _POSITIONAL for parameter in parameters):
            return 1, 0
        return sum(parameter.default is parameter.empty for parameter in parameters), len(parameters)

    @cached_property
    def _signature(self) -> inspect.Signature | None:
        try:
            return inspect.signature(self._fn)
        except ValueError:  # some built-ins have none
            return None

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return annotations_of(self._fn)


def _by_name(
    parameters: Mapping[str, inspect.Parameter], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    names = [name for name, parameter in parameters.items() if parameter.kind not in _VARIADIC]
    positional = [name for name in names if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    if len(args) > len(positional):
        raise InvalidInput(f"The flow takes {len(positional)} positional arguments, got {len(args)}")
    given = dict(zip(positional, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise UnknownParameter(name, tuple(names))
        if name in given:
            raise InvalidInput(f"Parameter '{name}' was given twice, by position and by name")
        given[name] = value
    return given
