"""Whether a flow, an artifact or a flow spec is one that a stage would take. Asks nobody, and writes nothing."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagy.artifact import build_artifact, load_target, read_artifact
from dagy.core.consistency import check_references
from dagy.core.errors import InvalidFlow, InvalidInput, NotFound
from dagy.core.sizes import Size
from dagy.core.spec import FlowSpec
from dagy.parameters import coerce_text, describe
from dagy_runtime.api.specs import checked_spec
from dagy_runtime.api.supported import offer


@dataclass(frozen=True, slots=True)
class Valid:
    """What was found right. `kind` is `flow`, `artifact` or `spec`."""

    kind: str
    spec: FlowSpec
    warnings: Sequence[str] = ()


def validate(target: str, texts: Mapping[str, str]) -> Valid:
    """`target` is PATH[:FLOW], an artifact (.zip), or a flow spec (.json). `texts` are build-time parameters.

    Raises: InvalidFlow, NotFound, InvalidInput: as `build_artifact`, `read_artifact` and the API do.
    """
    is_document = target.endswith((".zip", ".json"))
    if texts and is_document:
        raise InvalidInput("--param is for flows that are built; this one is built already")
    if target.endswith(".json"):
        return Valid("spec", _checked(_read_json(Path(target))))
    if target.endswith(".zip"):
        return Valid("artifact", _checked(read_artifact(Path(target)).spec.to_dict()))
    return _of_code(target, texts)


def _of_code(target: str, texts: Mapping[str, str]) -> Valid:
    """Built as `dagy build` does, into a folder that goes: what it imports is followed, its own reader reads it."""
    with redirect_stdout(sys.stderr):  # a module may print what it likes
        flow = load_target(target)
        with tempfile.TemporaryDirectory(prefix="dagy-") as folder:
            values = coerce_text(describe(flow.fn), texts)
            artifact = build_artifact(flow, output_dir=folder, flow_kwargs=values)
            contents = read_artifact(artifact.path)
    return Valid("flow", _checked(contents.spec.to_dict()), artifact.warnings)


def _checked(data: Any) -> FlowSpec:
    spec = checked_spec(data, offer("of this version", tuple(Size)))
    check_references(spec)
    return spec


def _read_json(path: Path) -> Any:
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound("flow spec", str(path), "`dagy build` makes one, inside the artifact.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}", "Give a flow_spec.json, as an artifact holds it.") from None
    if not isinstance(data, dict):
        raise InvalidFlow(f"A flow spec must be a JSON object, {path} holds a {type(data).__name__}")
    return data
