"""Write docs/api.md and docs/openapi.json from the API's table of routes; a test fails when they differ.

.venv/bin/python tools/api_reference.py
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dagy_runtime.api.openapi import document
from dagy_runtime.api.routes import BASE, ROUTES, Route

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
OPENAPI = PAGE.with_name("openapi.json")

INTRODUCTION = f"""# The API

Every route lives under `{BASE}` of the stage's `api_url` (`dagy infra outputs`). Everything but `/health` and
`/openapi.json` wants an API key, `Authorization: Bearer dgy_…`, or the token of somebody who signed in (`dagy login`).
Make a key with `dagy keys create`; the very first with `dagy keys create --admin --via-aws`, through your AWS
credentials. A role may do what the roles before it may: `viewer`, `developer`, `admin`. See [identity.md](identity.md).

Bodies are JSON of the models in `dagy.client.models`, which `dagy.DagyClient` sends and returns. Unknown fields
are refused by name. A body may have 1 MiB, that of `POST /flows` 5 MiB. Lists take `limit` (1 to 1,000, default
100) and `cursor` (the `next_cursor` of the page before). A filtered page may have fewer items, even none, while
`next_cursor` says that there may be more.

**Repeats.** Whatever makes something honours an `Idempotency-Key` header (1 to 255 printable ASCII characters) for 24
hours: a repeat by the same caller gets the first answer, with status 200 and `Idempotency-Replayed: true`, and
nothing is made twice. The same key with another request is a 409, a repeat while the first is under way a 503. `POST
/keys` and `POST /users` keep no answer, because it holds a secret: a repeat is a 409. `DagyClient` sends a key with
every POST but that of `/logout`, and repeats what nobody answered, what was answered with 502 to 504, and whatever was
turned away with 429 and `Retry-After`: then nothing was done.

**Editing together.** Answers about one deployment or draft carry its version as `ETag`. A change with `If-Match` of
another version is a 412 that names the version standing there; settings and drafts also take it in the body
(`deployment_version`, `version`), where it is a 409.

The same in OpenAPI 3.1: [openapi.json](openapi.json), which a stage serves at `{BASE}/openapi.json`.

An answer with a status of 400 or more is `{{"error": {{"code", "message", "hint", "request_id"}}}}`.

This page is made by `tools/api_reference.py`.

| route | role | takes | answers | |
|---|---|---|---|---|
"""


def page() -> str:
    return INTRODUCTION + "".join(_row(route) for route in ROUTES)


def openapi() -> str:
    described = msgspec.json.encode(document(ROUTES))
    return msgspec.json.format(described, indent=2).decode() + "\n"


def _row(route: Route) -> str:
    takes = ", ".join(f"`{name}`" for name in _parameters(route)) if route.body is None else f"`{route.body.__name__}`"
    answers = f"{route.status} `{route.response.__name__}`" if route.response else str(route.status)
    role = route.role.value if route.role else "anyone"
    return f"| `{route.method} {route.path}` | {role} | {takes} | {answers} | {route.summary} |\n"


def _parameters(route: Route) -> list[str]:
    return [field.name for field in msgspec.structs.fields(route.query)] if route.query else []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    OPENAPI.write_text(openapi(), encoding="utf-8")
