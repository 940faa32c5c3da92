"""The API described in OpenAPI 3.1, from the table of routes and the models both sides share. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from dagy.client import models as m
from dagy.core.names import NAME_PATTERN, RUN_ID_PATTERN, VERSION_PATTERN
from dagy_runtime.api.repeats import Repeats
from dagy_runtime.api.route import BASE, Route

_REF: Final = "#/components/schemas/{name}"
_ID: Final = "[A-Za-z0-9]{1,64}"
_PATTERNS: Final = {
    "name": NAME_PATTERN,
    "version": VERSION_PATTERN,
    "run_id": RUN_ID_PATTERN,
    "task_run_id": RUN_ID_PATTERN,
    "key_id": _ID,
    "draft_id": _ID,
}
_REFUSALS: Final = {
    400: "The body is not JSON as the API reads it",
    401: "No key, or one that is not valid",
    403: "The role does not allow it",
    404: "There is no such thing",
    409: "Somebody else changed it, or its state does not allow this",
    412: "What If-Match names is not what stands there",
    413: "The body is too large",
    422: "Something sent cannot be meant; the message says what",
    429: "Too many requests; Retry-After says when to come back",
    503: "Something the API depends on did not answer; try again",
}
_INFO: Final = {
    "title": "Dagy",
    "version": "1",
    "summary": "Flows, deployments and runs of one stage",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}


def document(routes: Sequence[Route]) -> m.OpenApiResponse:
    structs = [kind for route in routes for kind in (route.response, route.body) if kind is not None]
    unique = dict.fromkeys([*structs, m.ErrorBody, m.FlowSpecModel])
    _, schemas = msgspec.json.schema_components(unique, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(f"{BASE}{route.path}", {})[route.method.lower()] = _operation(route)
    return m.OpenApiResponse(
        openapi="3.1.0",
        info=dict(_INFO),
        paths=paths,
        components={
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `dgy_<id>_<secret>`"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        security=[{"bearer": []}, {"key": []}],
    )


def _operation(route: Route) -> dict[str, Any]:
    described = inspect.getdoc(route.handler)
    return {
        "operationId": route.handler.__name__,
        "tags": [route.path.split("/")[1]],
        "summary": route.summary,
        **({"description": described} if described else {}),
        "parameters": list(_parameters(route)),
        **({"requestBody": {"required": True, "content": _json(route.body)}} if route.body else {}),
        "responses": dict(_responses(route)),
        **({"security": []} if route.role is None else {"x-role": route.role.value}),
    }


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        pattern = _PATTERNS.get(name)
        # Two dots are refused everywhere; `_PATTERNS` cannot say so.
        schema = {"type": "string", "pattern": rf"^(?!.*\.\.){pattern}$" if pattern else "^.+$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.query is not None:
        _, components = msgspec.json.schema_components([route.query], ref_template=_REF)
        shape = components[route.query.__name__]
        for name, schema in shape["properties"].items():
            yield {"name": name, "in": "query", "schema": _without_null(schema)}
    if route.repeats is not Repeats.HARMLESS:
        yield _header("Idempotency-Key", {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"})
    if route.etag is not None and route.method != "GET":
        yield _header("If-Match", {"type": "string", "pattern": '^"[0-9]{1,9}"$'})


def _responses(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    request_id = {"X-Request-Id": {"schema": {"type": "string"}}}
    etag = {"ETag": {"schema": {"type": "string"}}} if route.etag else {}
    content = {"content": _json(route.response)} if route.response else {}
    if route.repeats is not Repeats.HARMLESS and route.status != 200:
        told = "The answer to the first request with this Idempotency-Key"
        yield "200", {"description": told, "headers": request_id, **content}
    yield str(route.status), {"description": route.summary, "headers": {**request_id, **etag}, **content}
    for status in sorted(_refused(route)):
        yield str(status), {"description": _REFUSALS[status], "content": _json(m.ErrorBody)}


def _refused(route: Route) -> set[int]:
    """Also a route that takes no body refuses one that is too large, and a query or header it does not know."""
    changes = route.method != "GET"
    return {
        *(413, 422, 503),
        *((401, 403, 429) if route.role is not None else ()),
        *((400, 404) if route.body is not None else ()),
        *((404,) if "{" in route.path else ()),
        *((409,) if changes or route.path.endswith("/result") else ()),
        *((412,) if changes and route.etag is not None else ()),
    }


def _json(kind: type[Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _header(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": dict(schema)}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query has no null: a parameter that is not given is left out."""
    (given,) = [part for part in schema.get("anyOf", [schema]) if part != {"type": "null"}]
    default = {"default": schema["default"]} if schema.get("default") is not None else {}
    return {**{name: value for name, value in given.items() if name != "default"}, **default}
