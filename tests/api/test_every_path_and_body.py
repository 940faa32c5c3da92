"""On every route: ids that lead elsewhere, bodies that are not what is asked for. Nothing is changed by any of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from dagy_runtime.api.routes import BASE, ROUTES, Route
from dagy_runtime.api.wire import MAX_BODY_BYTES

ODD_IDS = [
    "..", ".", "../keys", "../../etc/passwd", "..%2fkeys", "%2e%2e/keys", "....//", "a/b", "a/../b", "\\..\\b", "a\\b",
    "\x00", "a\x00b", "\n", "a\r\nb", " ", "a b", "a#b", "RUN#x", "META", "?", "-", "'", '"', "*", "%", "%00", "💥",
    "ü", "a\u202eb", "\u2024\u2024/x", "x" * 5000,
]  # fmt: skip
BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "half an object": (b'{"name": ', 400),
    "not UTF-8": (b'{"name": "\xff"}', 400),
    "a key twice": (b'{"name": "a", "name": "b"}', 400),
    "NaN": (b'{"name": NaN}', 400),
    "infinity in disguise": (b'{"name": 1e999}', 400),
    "half a surrogate pair": (b'{"name": "\\ud800"}', 400),
    "too deep": (b'{"name": ' + b"[" * 300 + b"]" * 300 + b"}", 400),
    "an unknown field": (b'{"colour": "red"}', 422),
    "a list": (b"[]", 422),
    "a number": (b"1", 422),
    "null": (b"null", 422),
}


def named(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", [pytest.param(r, id=f"{r.method} {r.path}") for r in routes])


def paths(route: Route, odd: str) -> list[str]:
    """The route's path with that in the place of each of its names, one after the other."""
    parts = route.path.split("/")
    places = [place for place, part in enumerate(parts) if part.startswith("{")]
    filled = ["daily" if part.startswith("{") else part for part in parts]
    return [BASE + "/".join([*filled[:place], quote(odd, safe=""), *filled[place + 1 :]]) for place in places]


def audited(stage: Any) -> int:
    return len(stage.client().get("/v1/audit", query={"limit": 1000}).json()["items"])


@named([route for route in ROUTES if "{" in route.path])
def test_an_id_of_any_kind_leads_nowhere_else(deployed: Any, route: Route) -> None:
    client, before = deployed.client(), audited(deployed)
    body = b"{}" if route.body is not None else b""
    for odd in ODD_IDS:
        for path in paths(route, odd):
            reply = client.request(route.method, path, body=body)
            assert reply.status in (404, 405, 422), (path, reply.status, reply.body)
    assert audited(deployed) == before


@named([route for route in ROUTES if route.body is not None])
@pytest.mark.parametrize("kind", BAD_BODIES)
def test_a_body_that_is_not_what_is_asked_for_changes_nothing(deployed: Any, route: Route, kind: str) -> None:
    body, status = BAD_BODIES[kind]
    client, before = deployed.client(), audited(deployed)
    path = BASE + route.path.replace("{name}", "daily").replace("{", "").replace("}", "")

    reply = client.request(route.method, path, body=body)

    assert reply.status == status, reply.body
    assert audited(deployed) == before


@named([route for route in ROUTES if route.method != "GET"])
def test_a_body_over_the_limit_is_refused_on_every_route(deployed: Any, route: Route) -> None:
    path = BASE + route.path.replace("{", "").replace("}", "")
    reply = deployed.client().request(route.method, path, body=b" " * (max(route.max_body_bytes, MAX_BODY_BYTES) + 1))
    assert (reply.status, reply.error["code"]) == (413, "body_too_large")


@named([route for route in ROUTES if route.method != "GET" and route.body is None])
def test_a_body_where_none_is_asked_for_is_told_or_ignored_and_never_an_error_of_ours(
    deployed: Any, route: Route
) -> None:
    path = BASE + route.path.replace("{", "").replace("}", "")
    assert deployed.client().request(route.method, path, body=b'{"a": NaN').status < 500
