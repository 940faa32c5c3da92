"""What the API reads and what it does not: sizes, encodings, JSON that readers disagree about, and noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy.core.spec import FlowSpec
from dagy_runtime.api.routes import BASE, MAX_FLOW_BYTES, ROUTES
from dagy_runtime.api.wire import MAX_BODY_BYTES, MAX_DEPTH

RUN = b'{"deployment": "daily", "parameters": {"day": %s}}'


@pytest.mark.parametrize(
    "body, status, words",
    [
        pytest.param(b"", 400, "not JSON", id="nothing"),
        pytest.param(b"{", 400, "not JSON", id="half an object"),
        pytest.param(b"{} {}", 400, "not JSON", id="two values"),
        pytest.param(b"\xef\xbb\xbf{}", 400, "not JSON", id="a byte order mark"),
        pytest.param(b'{"deployment": "\xff"}', 400, "not UTF-8", id="not UTF-8"),
        pytest.param('{"deployment": "daily"}'.encode("utf-16"), 400, "not UTF-8", id="UTF-16"),
        pytest.param(b'{"deployment": "a", "deployment": "b"}', 400, "'deployment' appears twice", id="a key twice"),
        pytest.param(RUN % b'{"a": {"b": 1, "b": 2}}', 400, "'b' appears twice", id="a key twice inside"),
        pytest.param(
            b"{%s, %s}" % (b", ".join(b'"k%d": 1' % n for n in range(60_000)), b'"k59999": 1'),
            400,
            "'k59999' appears twice",
            id="the last of 60,000 keys twice",
        ),
        pytest.param(RUN % b"NaN", 400, "NaN", id="NaN"),
        pytest.param(RUN % b"-Infinity", 400, "-Infinity", id="infinity"),
        pytest.param(RUN % b"1e999", 400, "too large", id="infinity in disguise"),
        pytest.param(RUN % b"9223372036854775808", 400, "64 bits", id="an integer of 65 bits"),
        pytest.param(RUN % (b"9" * 5000), 400, "not JSON", id="an integer of 5000 digits"),
        pytest.param(RUN % b'"\\ud800"', 400, "surrogate", id="half a surrogate pair"),
        pytest.param(RUN % b'{"\\udfff": 1}', 400, "surrogate", id="half a surrogate pair as key"),
        pytest.param(RUN % (b"[" * 70 + b"]" * 70), 400, "deeper", id="too deep"),
        pytest.param(RUN % (b"[" * 200_000 + b"]" * 200_000), 400, "deeper", id="absurdly deep"),
        pytest.param(b"[]", 422, "Expected `object`", id="a list"),
        pytest.param(b"null", 422, "Expected `object`", id="null"),
        pytest.param(b'{"deployment": 1}', 422, "deployment", id="wrong type"),
        pytest.param(b'{"deploiment": "daily"}', 422, "unknown field `deploiment`", id="a typo"),
        pytest.param(b'{"max_workers": 1.5, "deployment": "daily"}', 422, "max_workers", id="a fraction"),
        pytest.param(b'{"fail_fast": "no", "deployment": "daily"}', 422, "fail_fast", id="a word for a bool"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(deployed: Any, body: bytes, status: int, words: str) -> None:
    reply = deployed.client("developer").request("POST", "/v1/runs", body=body)
    assert reply.status == status, reply.body
    assert words in reply.error["message"]
    assert deployed.ports.dispatcher.sent == []


def test_what_json_allows_arrives_unharmed(deployed: Any) -> None:
    deep = "x"
    for _ in range(MAX_DEPTH - 4):
        deep = [deep]  # type: ignore[assignment]
    day = "ünï \U0001f600 \u0000 '\"\\"
    reply = deployed.client("developer").post("/v1/runs", {"deployment": "daily", "parameters": {"day": day}})
    assert reply.status == 201 and reply.json()["parameters"]["day"] == day
    refused = deployed.client("developer").post("/v1/runs", {"deployment": "daily", "parameters": {"day": deep}})
    assert refused.status == 422 and refused.error["code"] == "parameter_type"


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("path, limit", [("/v1/runs", MAX_BODY_BYTES), ("/v1/flows", MAX_FLOW_BYTES)])
def test_a_body_over_the_limit_is_413(deployed: Any, path: str, limit: int, declared: bool) -> None:
    body = b" " * (limit + 1)
    headers = {"Content-Length": str(len(body)) if declared else "0"}
    reply = deployed.client("developer").request("POST", path, body=body, headers=headers)
    assert reply.status == 413 and reply.error["code"] == "body_too_large"


def test_only_flows_may_be_larger_than_a_mebibyte() -> None:
    larger = {f"{route.method} {route.path}" for route in ROUTES if route.max_body_bytes != MAX_BODY_BYTES}
    assert (larger, MAX_BODY_BYTES) == ({"POST /flows"}, 2**20)


def test_a_body_of_exactly_a_mebibyte_is_read(deployed: Any) -> None:
    start = b'{"deployment": "daily", "parameters": {"day": "'
    body = start + b"x" * (MAX_BODY_BYTES - len(start) - 3) + b'"}}'
    assert len(body) == MAX_BODY_BYTES
    assert deployed.client("developer").request("POST", "/v1/runs", body=body).status == 201


def test_query_parameters_that_a_route_does_not_take_are_refused(deployed: Any) -> None:
    reply = deployed.client("viewer").get("/v1/deployments/daily", query={"verbose": "1"})
    assert reply.status == 422 and "'verbose'" in reply.error["message"]


# --- noise: whatever comes, the answer is one of the documented ones ----------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
names = st.sampled_from(["daily", "etl", "1.0", "latest", "..", "a b", "", "ü", "x" * 120, "load-1", "%", "\x00", "?"])
near_values = st.one_of(
    names,
    json_values,
    st.sampled_from(
        ["0 6 * * *", "rate(1 day)", "at(2027-01-01T00:00:00)", "UTC", "small", "PAUSED", "lambda", "admin"]
    ),
    st.sampled_from([{"day": "x"}, {"limit": 3}, ["small", "in-process"], {"team": "data"}]),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes, list[tuple[str, str]], dict[str, str]]:
    route = draw(st.sampled_from(ROUTES))
    path = route.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + draw(names).replace("/", "") + rest.partition("}")[2]
    body = b""
    if route.body is not None:
        fields = [*route.body.__struct_fields__, "colour"]
        body = json.dumps(draw(st.dictionaries(st.sampled_from(fields), near_values, max_size=len(fields)))).encode()
        body = draw(st.one_of(st.just(body), st.just(body), st.binary(max_size=60)))
    known = [*(route.query.__struct_fields__ if route.query else ()), "colour"]
    text = st.text(max_size=12) | st.sampled_from(["1", "1000", "PENDING", "etl", "a:b", "bGlzdA"])
    query = draw(st.lists(st.tuples(st.sampled_from(known), text), max_size=3))
    headers = draw(st.sampled_from([{}, {}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "\x7f"}]))
    return route.method, BASE + path, body, query, headers


@given(requests())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_is_answered_with_a_5xx(deployed: Any, request_made: tuple[Any, ...]) -> None:
    method, path, body, query, headers = request_made
    client = deployed.client("admin")
    own_id = client.key.split("_")[1]
    if method == "DELETE" and path.endswith(own_id):
        return
    reply = client.request(method, path.replace("%", "%25"), body=body, query=query, headers=headers)
    assert reply.status < 500, (request_made, reply.body)
    assert reply.headers["x-content-type-options"] == "nosniff"
    if reply.status >= 400:
        assert set(reply.json()["error"]) == {"code", "message", "hint", "request_id"}


@st.composite
def bent_specs(draw: st.DrawFn) -> Callable[[Any], Any]:
    """A change to one place of a flow spec, wherever that is."""
    choices = draw(st.lists(st.integers(0, 30), min_size=1, max_size=6))
    value = draw(near_values)

    def bend(data: Any) -> Any:
        place = data
        for step in choices:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = keys[step % len(keys)]
            if step == choices[-1] or not isinstance(place[key], (dict, list)):
                place[key] = value
                break
            place = place[key]
        return data

    return bend


@given(bent_specs())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flow_spec_is_answered_with_a_5xx_and_what_is_taken_can_be_shown_and_run(
    stage: Any, spec: Callable[..., FlowSpec], bend: Callable[[Any], Any]
) -> None:
    data = bend(json.loads(json.dumps(spec().to_dict())))
    client = stage.client("developer")
    reply = client.post("/v1/flows", {"flow_spec": data, "artifact": stage.upload()})
    assert reply.status in (200, 400, 422), reply.body
    if reply.status == 200:
        name, version = reply.json()["flow_name"], reply.json()["flow_version"]
        assert client.get(f"/v1/flows/{name}/{version}").status == 200
        for parameters in ({}, {"day": "x"}, {"day": [1], "limit": {}}):
            run = client.post("/v1/runs", {"flow_name": name, "flow_version": version, "parameters": parameters})
            assert run.status in (201, 422), run.body
