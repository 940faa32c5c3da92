"""A flow's parameters: described as data, checked against values from outside, read from command line text.

The description travels in the flow's spec, so the API and the CLI check values without the flow's code. What they
let through is JSON; inside the flow it is converted by the annotation.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, NoReturn

import msgspec

from dagy.annotations import annotations_of, convert, described, schema_of, type_text
from dagy.core.errors import InvalidFlow, MissingParameter, ParameterTypeError, UnknownParameter

Parameter = dict[str, Any]

_KINDS: Final = {
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional_or_keyword",
    inspect.Parameter.KEYWORD_ONLY: "keyword_only",
}
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_JSON_CLASSES: Final[Mapping[str, type]] = {"array": list, "object": dict, "null": type(None)}
_EXTERNAL_KEYS: Final = frozenset({"$id", "id", "$schema"})


def describe(fn: Callable[..., Any]) -> list[Parameter]:
    """`FlowSpec.parameters` of a flow function.

    A default that does not survive the way through JSON is left out: the flow function supplies it itself.

    Raises: InvalidFlow when the function takes `*args`, `**kwargs` or positional-only parameters, which cannot be
    given by name.
    """
    annotations = annotations_of(fn)
    return [
        _describe(fn, parameter, annotations.get(parameter.name, Any))
        for parameter in inspect.signature(fn).parameters.values()
    ]


def check_values(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values for a run, in the flow's order, with defaults filled in.

    Raises: UnknownParameter, MissingParameter, ParameterTypeError; each for the first that is wrong.
    """
    _refuse_unknown(parameters, given)
    values = {}
    for parameter in parameters:
        name = parameter["name"]
        if name in given:
            values[name] = _checked(parameter, given[name])
        elif "default" in parameter:
            values[name] = parameter["default"]
        elif parameter.get("required", True):
            raise MissingParameter(name, parameter.get("type", "Any"))
    return values


def coerce_text(parameters: Sequence[Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Values from `--param name=text`, by each parameter's schema; the values are not yet checked against it.

    Text stays text where text is allowed and nothing else fits. Without a schema, JSON is read as JSON.

    Raises: UnknownParameter, ParameterTypeError.
    """
    _refuse_unknown(parameters, texts)
    by_name = {parameter["name"]: parameter for parameter in parameters}
    return {name: _from_text(by_name[name], text) for name, text in texts.items()}


def _describe(fn: Callable[..., Any], parameter: inspect.Parameter, annotation: Any) -> Parameter:
    if parameter.kind not in _KINDS:
        raise InvalidFlow(
            f"Flow function '{fn.__name__}' takes '{parameter}', which cannot be given by name",
            "Every parameter of a flow needs a name: replace *args by a list, **kwargs by a dict, and remove '/'.",
        )
    described_parameter = {
        "name": parameter.name,
        "type": type_text(annotation),
        "schema": schema_of(annotation),
        "required": parameter.default is parameter.empty,
        "kind": _KINDS[parameter.kind],
    }
    if parameter.default is not parameter.empty:
        try:
            default = json.loads(msgspec.json.encode(parameter.default, enc_hook=_path_text))
            if _is_same(convert(default, annotation), parameter.default):
                described_parameter["default"] = default
        except Exception:
            return described_parameter
    return described_parameter


def _path_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError


def _is_same(value: Any, default: Any) -> bool:
    is_same_type = type(value) is type(default) or {type(value), type(default)} == {int, float}
    return is_same_type and bool(value == default)


def _refuse_unknown(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> None:
    known = tuple(parameter["name"] for parameter in parameters)
    for name in given:
        if name not in known:
            raise UnknownParameter(name, known)


def _checked(parameter: Parameter, value: Any) -> Any:
    schema = parameter.get("schema") or {}
    if not schema or not _is_self_contained(schema):
        return value
    import fastjsonschema  # lazy: the runtime functions describe parameters, but only the API checks values

    try:
        validate = fastjsonschema.compile(schema, use_default=False)
    except Exception:  # an artifact may hold any schema; the flow still converts the value itself
        return value
    try:
        validate(value)
    except fastjsonschema.JsonSchemaValueException as error:
        is_told_by_type = error.path == ["data"] and error.rule in ("type", "format", "enum", "anyOf")
        where = "" if is_told_by_type else f" ({error.message.removeprefix('data').strip()})"
        got = f"{described(value)}{where}"
        raise _mistyped(parameter, got) from None
    except Exception:  # such as a schema that refers to itself without end
        return value
    return value


def _mistyped(parameter: Parameter, got: str) -> ParameterTypeError:
    kind = (parameter.get("schema") or {}).get("type")
    error = ParameterTypeError(parameter["name"], parameter.get("type", "Any"), got)
    error.hint = f"Add --param {error.parameter}=<{error.expected}{' as JSON' if kind in ('array', 'object') else ''}>"
    return error


def _is_self_contained(schema: Any) -> bool:
    """Whether validating reads nothing but the schema: a reference to elsewhere would be fetched over the network."""
    if isinstance(schema, dict):
        if not str(schema.get("$ref", "#")).startswith("#"):
            return False
        return not (_EXTERNAL_KEYS & schema.keys()) and all(map(_is_self_contained, schema.values()))
    return not isinstance(schema, list) or all(map(_is_self_contained, schema))


def _from_text(parameter: Parameter, text: str) -> Any:
    schema = parameter.get("schema") or {}
    if not schema:
        return _json_or_text(text)
    for option in _options(schema, schema.get("$defs", {})):
        try:
            return _as_option(option, text)
        except ValueError:
            continue
    raise _mistyped(parameter, described(text))


def _options(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives a schema allows, text last, because any text is a text."""
    if "$ref" in schema:
        return _options(definitions.get(str(schema["$ref"]).rpartition("/")[2], {}), definitions)
    if "anyOf" in schema:
        options = [option for member in schema["anyOf"] for option in _options(member, definitions)]
        return sorted(options, key=lambda option: option.get("type") == "string")
    return [schema]


def _as_option(schema: Mapping[str, Any], text: str) -> Any:
    """`text` as a value of this one alternative. Raises: ValueError."""
    if "enum" in schema:
        return _member(schema["enum"], text)
    kind = schema.get("type")
    if kind in _SCALARS:
        return _SCALARS[kind](text)
    value = _parse(text) if kind in _JSON_CLASSES else _json_or_text(text)
    wanted = _JSON_CLASSES.get(str(kind))
    if wanted is not None and not isinstance(value, wanted):
        raise ValueError(text)
    return value


def _member(members: Sequence[Any], text: str) -> Any:
    for value in (text, _json_or_text(text)):
        if any(type(value) is type(member) and value == member for member in members):
            return value
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:  # infinite, or no number: JSON has neither
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None


def _json_or_text(text: str) -> Any:
    try:
        return _parse(text)
    except ValueError:
        return text


def _parse(text: str) -> Any:
    """Strict JSON: `NaN` and `Infinity` are not. Raises: ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


_SCALARS: Final[Mapping[Any, Callable[[str], Any]]] = {
    "string": str,
    "integer": int,
    "number": _finite,
    "boolean": _boolean,
}
