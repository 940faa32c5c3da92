"""How results are stored: bytes with the name of the codec that reads them, their size and their hash.

Four codecs, the first that keeps the value exactly:

- `json`: plain JSON, for what JSON can say without loss: None, booleans, integers, finite floats, strings, lists,
  dicts with string keys.
- `json-tagged`: JSON too, where values that JSON has no word for (datetimes, Decimals, UUIDs, bytes, tuples, sets,
  enums, dataclasses, ...) are tagged as `dagy.codecs.tagged` describes. Everybody can read it.
- `parquet`: data frames and Arrow tables, when pyarrow is installed.
- `pickle`: everything else. Pickle executes what it reads, so it is decoded only inside the process that runs the
  flow which wrote it, never by the API, the CLI or the engine.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import msgspec

from dagy.codecs import frames, tagged
from dagy.codecs.unpicklable import first_unpicklable
from dagy.core.errors import ArtifactSerializationError
from dagy.core.refs import ParameterRef, TaskOutput

JSON: Final = "json"
JSON_TAGGED: Final = "json-tagged"
PARQUET: Final = "parquet"
PICKLE: Final = "pickle"

SUFFIXES: Final = {JSON: ".json", JSON_TAGGED: ".json", PARQUET: ".parquet", PICKLE: ".pickle"}
"""What the name of a file with a stored value ends in, by codec."""

_PICKLE_PROTOCOL: Final = 5  # the highest that every supported Python reads
_SCALARS: Final = frozenset({type(None), bool, int, float, str})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A stored value. `sha256` is the hex digest of `data`."""

    codec: str
    data: bytes
    sha256: str

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    @classmethod
    def of(cls, codec: str, data: bytes) -> Encoded:
        return cls(codec, data, hashlib.sha256(data).hexdigest())


def encode(value: Any) -> Encoded:
    """Decoding gives an equal value of the same types. Equal values of JSON types give equal bytes.

    Raises: ArtifactSerializationError naming the type and where in the value it stands, for what cannot be stored
    (generators, open files, locks, classes defined inside functions, the `TaskOutput` of another task).
    """
    try:
        return _encode_as_json(value) or _encode_as_table(value) or _encode_as_pickle(value)
    except RecursionError:
        # JSON cannot say cycles, pickle can; data nested too deeply for both gets pickle's error.
        return _encode_as_pickle(value)


def decode(encoded: Encoded) -> Any:
    """The value again. May execute code the value's writer chose, when the codec is `pickle`, and imports the
    modules of its dataclasses and enums, when it is `json-tagged`.

    Raises: ArtifactSerializationError when the bytes are not those that were stored, or cannot be read here.
    """
    _check_hash(encoded)
    try:
        if encoded.codec == JSON:
            return msgspec.json.decode(encoded.data)
        if encoded.codec == JSON_TAGGED:
            return tagged.from_json(msgspec.json.decode(encoded.data))
        if encoded.codec == PARQUET:
            return frames.from_parquet(encoded.data)
        if encoded.codec == PICKLE:
            return pickle.loads(encoded.data)  # noqa: S301 - see the module: only where the flow itself runs
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise ArtifactSerializationError(f"A stored result ({encoded.codec}) cannot be read: {problem}") from error
    raise ArtifactSerializationError(f"A stored result has the unknown codec {encoded.codec!r}")


def readable(encoded: Encoded) -> Any:
    """A stored value as JSON data for people, importing and executing nothing: datetimes, Decimals and UUIDs as
    their text, tuples and sets as lists, dataclasses as objects. None when it is not JSON at all (look at `codec`).

    Raises: ArtifactSerializationError when the bytes are not those that were stored.
    """
    _check_hash(encoded)
    if encoded.codec == JSON:
        return msgspec.json.decode(encoded.data)
    if encoded.codec == JSON_TAGGED:
        return tagged.untagged(msgspec.json.decode(encoded.data))
    return None


def _check_hash(encoded: Encoded) -> None:
    found = hashlib.sha256(encoded.data).hexdigest()
    if found != encoded.sha256:
        raise ArtifactSerializationError(
            f"A stored result is damaged: its SHA-256 is {found}, but {encoded.sha256} was written"
        )


def _encode_as_json(value: Any) -> Encoded | None:
    try:
        if _is_plain(value):
            return Encoded.of(JSON, msgspec.json.encode(value))
        return Encoded.of(JSON_TAGGED, msgspec.json.encode(tagged.to_json(value)))
    except (tagged.NoTag, ValueError, OverflowError):  # a lone surrogate, an integer of thousands of digits
        return None


def _encode_as_table(value: Any) -> Encoded | None:
    data = frames.to_parquet(value)
    return None if data is None else Encoded.of(PARQUET, data)


def _encode_as_pickle(value: Any) -> Encoded:
    if isinstance(value, (TaskOutput, ParameterRef)):
        raise _cannot_store(value, "", value)
    try:
        return Encoded.of(PICKLE, pickle.dumps(value, protocol=_PICKLE_PROTOCOL))
    except Exception as error:  # whatever a class's own __reduce__ raises
        path, culprit = first_unpicklable(value)
        raise _cannot_store(value, path, culprit) from error


def _cannot_store(value: Any, path: str, culprit: Any) -> ArtifactSerializationError:
    kind = type(culprit)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    where = f"at result{path} is a {name}" if path else f"it is a {name}"
    why = " that cannot be pickled"
    if isinstance(culprit, (TaskOutput, ParameterRef)):
        why = ", which stands for a value only in a flow's body: call tasks there, not inside another task"
    elif hasattr(culprit, "__next__"):
        why = ", which can be read only once: return a list"
    return ArtifactSerializationError(f"A result of type {type(value).__qualname__} cannot be stored: {where}{why}")


def _is_plain(value: Any) -> bool:
    """Whether plain JSON keeps `value` exactly; lone surrogates and endless integers, the encoder itself refuses."""
    kind = type(value)
    if kind in _SCALARS:
        return kind is not float or isfinite(value)
    if kind is list:
        return _are_plain(value)
    if kind is dict:
        return all(type(key) is str for key in value) and _are_plain(value.values())
    return False


def _are_plain(values: Any) -> bool:
    kinds = set(map(type, values))
    if kinds <= _SCALARS:  # the common case of long lists, without a Python call for each item
        return float not in kinds or all(isfinite(item) for item in values if type(item) is float)
    return all(map(_is_plain, values))
