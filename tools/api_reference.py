"""Write docs/api.md from the API's table of routes; a test fails when the two differ.

.venv/bin/python tools/api_reference.py
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dagy_runtime.api.routes import BASE, ROUTES, Route

PAGE = Path(__file__).parents[1] / "docs" / "api.md"

INTRODUCTION = f"""# The API

Every route lives under `{BASE}` of the stage's `api_url` (`dagy infra outputs`). Everything but `/health` wants
an API key: `Authorization: Bearer dgy_…`. Make one with `dagy keys create`; the very first with `dagy keys
create --admin --via-aws`, through your AWS credentials. A role may do what the roles before it may: `viewer`,
`developer`, `admin`.

Bodies are JSON of the models in `dagy.client.models`, which `dagy.DagyClient` sends and returns. Unknown fields
are refused by name. A body may have 1 MiB, that of `POST /flows` 5 MiB. Lists take `limit` (1 to 1,000, default
100) and `cursor` (the `next_cursor` of the page before). `POST /runs` honours an `Idempotency-Key` header for 24 hours.

An answer with a status of 400 or more is `{{"error": {{"code", "message", "hint", "request_id"}}}}`.

This page is made by `tools/api_reference.py`.

| route | role | takes | answers | |
|---|---|---|---|---|
"""


def page() -> str:
    return INTRODUCTION + "".join(_row(route) for route in ROUTES)


def _row(route: Route) -> str:
    takes = ", ".join(f"`{name}`" for name in _parameters(route)) if route.body is None else f"`{route.body.__name__}`"
    answers = f"{route.status} `{route.response.__name__}`" if route.response else str(route.status)
    role = route.role.value if route.role else "anyone"
    return f"| `{route.method} {route.path}` | {role} | {takes} | {answers} | {route.summary} |\n"


def _parameters(route: Route) -> list[str]:
    return [field.name for field in msgspec.structs.fields(route.query)] if route.query else []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
