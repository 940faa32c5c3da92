"""`DagyClient`: what it sends, what it repeats, what it refuses, what its errors say."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import re
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.client.transport import Retrying
from dagy.core.errors import APIError, InvalidInput, TokenExpiredError, Unauthenticated
from dagy.credentials import save_api_key, save_credentials
from dagy.version import VERSION, is_older

FLOW = {
    "flow_name": "etl",
    "flow_version": "1",
    "namespace": "",
    "tags": {},
    "code_hash": None,
    "task_count": 1,
    "artifact_s3_uri": "s3://b/k",
    "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-01T00:00:00.000Z",
}
RUN = {
    "run_id": "etl-1",
    "status": "PENDING",
    "flow_name": "etl",
    "flow_version": "1",
    "deployment": "etl",
    "execution_mode": "nano",
    "isolation": "in-process",
    "parameters": {},
    "trigger": "manual",
    "tags": {},
    "requested_by": None,
    "artifact_sha256": "0" * 64,
    "created_at": "2026-01-01T00:00:00.000Z",
    "scheduled_at": None,
    "started_at": None,
    "ended_at": None,
    "duration_s": None,
    "invocations": 0,
    "error": None,
    "a_field_of_the_future": 1,
}
BUSY = {"error": {"code": "unavailable", "message": "Too busy", "hint": "Later"}}


@dataclass(frozen=True)
class Answer:
    body: Any
    status: int
    headers: dict[str, str]


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_request_says_who_asks_and_with_what(client: DagyClient, server: Any) -> None:
    server.answer(answer({"items": [FLOW], "next_cursor": None}))

    page = client.list_flows(limit=7)

    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/v1/flows?limit=7")
    assert asked.headers["authorization"] == "Bearer dgy_secret"
    version = importlib.metadata.version("dagy")
    assert asked.headers["user-agent"] == f"dagy-sdk/{version} python/{platform.python_version()}"
    assert page.items[0].flow_name == "etl"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_the_url_may_end_in_v1_or_not(server: Any, end: str) -> None:
    server.answer(answer({"status": "ok", "version": "1", "stage": "dev"}))
    client = DagyClient(server.url + end, "t")

    assert client.health().stage == "dev"
    assert server.asked[0].path == "/v1/health"
    client.close()


def test_lists_go_on_to_the_last_page(client: DagyClient, server: Any) -> None:
    server.answer(answer({"items": [FLOW, FLOW], "next_cursor": "a b"}), answer({"items": [FLOW], "next_cursor": None}))

    assert len(list(client.iter_flows(page=2))) == 3
    assert server.asked[1].path == "/v1/flows?limit=2&cursor=a+b"


def test_a_run_is_triggered_with_a_plain_dict(client: DagyClient, server: Any) -> None:
    server.answer(answer(RUN, 201))

    run = client.trigger_run(
        {"flow_name": "etl", "flow_version": "1.0.0", "parameters": {"source": "s3://b/d.csv"}}, idempotency_key="k"
    )

    assert run.run_id == "etl-1"
    assert server.asked[0].headers["idempotency-key"] == "k"
    assert server.asked[0].body == {
        "flow_name": "etl",
        "flow_version": "1.0.0",
        "parameters": {"source": "s3://b/d.csv"},
    }


def test_a_misspelt_request_is_refused_before_it_is_sent(client: DagyClient, server: Any) -> None:
    with pytest.raises(InvalidInput, match="paramters"):
        client.trigger_run({"deployment": "etl", "paramters": {}})
    assert server.asked == []


@pytest.mark.parametrize(
    "first, waited",
    [
        pytest.param(None, None, id="the connection broke"),
        pytest.param(answer(BUSY, 503), None, id="unavailable"),
        pytest.param(answer(BUSY, 429, Retry_After="2"), 2, id="too many, with a time to come back"),
        pytest.param(answer(b"<html>", 502), None, id="a gateway's page"),
    ],
)
def test_a_read_is_repeated_when_nothing_was_decided(
    client: DagyClient, server: Any, waits: list[float], first: Any, waited: float | None
) -> None:
    server.answer(first, answer(RUN))

    assert client.get_run("etl-1").run_id == "etl-1"
    (wait_s,) = waits
    assert wait_s == waited if waited is not None else 0.1 < wait_s < 0.4


def test_a_start_of_a_run_is_repeated_under_one_key(client: DagyClient, server: Any) -> None:
    server.answer(None, answer(BUSY, 503), answer(RUN, 201))

    client.trigger_run({"deployment": "etl"})

    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    "change, if_version",
    [
        pytest.param(m.DeploymentSettingsRequest(status="PAUSED"), 3, id="by ETag"),
        pytest.param(m.DeploymentSettingsRequest(status="PAUSED", deployment_version=3), None, id="in the body"),
    ],
)
@pytest.mark.parametrize("first", [pytest.param(None, id="no answer"), pytest.param(answer(BUSY, 503), id="busy")])
def test_a_change_of_one_version_is_not_repeated(
    client: DagyClient, server: Any, waits: list[float], first: Any, change: Any, if_version: int | None
) -> None:
    """The repeat would be refused because the first had succeeded."""
    server.answer(first)

    with pytest.raises(APIError):
        client.change_settings("etl", change, if_version=if_version)
    assert len(server.asked) == 1
    assert waits == []
    assert server.asked[0].headers.get("if-match") == ('"3"' if if_version else None)


TURNED_AWAY = answer(
    {"error": {"code": "too_many_requests", "message": "'ci' sends too many requests"}}, 429, Retry_After="2"
)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda c: c.logout(), id="a POST without a key"),
        pytest.param(
            lambda c: c.change_settings("etl", m.DeploymentSettingsRequest(), if_version=3), id="of one version"
        ),
        pytest.param(lambda c: c.trigger_run({"deployment": "etl"}), id="a POST with a key"),
        pytest.param(lambda c: c.list_runs(), id="a read"),
    ],
)
def test_whatever_was_turned_away_with_a_time_to_come_back_is_repeated_then(
    client: DagyClient, server: Any, waits: list[float], call: Any
) -> None:
    server.answer(TURNED_AWAY, TURNED_AWAY, answer(b"", 400))

    with pytest.raises(APIError, match="APIError 400"):
        call(client)
    assert len(server.asked) == 3 and waits == [2, 2]


@pytest.mark.parametrize("then", [None, answer(BUSY, 503), answer(BUSY, 429)], ids=["no answer", "busy", "no time"])
def test_what_may_have_been_done_is_not_repeated_although_it_was_turned_away_before(
    client: DagyClient, server: Any, waits: list[float], then: Any
) -> None:
    server.answer(TURNED_AWAY, then)

    with pytest.raises(APIError):
        client.logout()
    assert len(server.asked) == 2 and waits == [2]


def test_every_post_carries_a_key_of_its_own(client: DagyClient, server: Any) -> None:
    server.answer(answer(RUN, 201))
    for _ in range(2):
        client.cancel_run("etl-1")
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


def test_a_deletion_is_repeated_and_one_that_went_through_unheard_is_done(client: DagyClient, server: Any) -> None:
    missing = answer({"error": {"code": "not_found", "message": "Deployment not found: etl"}}, 404)
    server.answer(None, missing)
    client.delete_deployment("etl")

    for before in ([], [TURNED_AWAY]):
        server.answer(*before, missing)
        with pytest.raises(APIError, match="not found"):
            client.delete_deployment("etl")


def test_patience_ends(client: DagyClient, server: Any, waits: list[float]) -> None:
    server.answer(answer(BUSY, 503))

    with pytest.raises(APIError, match="APIError 503: Too busy"):
        client.get_run("etl-1")
    assert len(server.asked) == 3
    assert waits[0] < waits[1] * 3


def test_a_long_time_to_come_back_is_not_waited_for(client: DagyClient, server: Any, waits: list[float]) -> None:
    server.answer(answer(BUSY, 503, Retry_After="3600"))

    with pytest.raises(APIError):
        client.get_run("etl-1")
    assert waits == []


@pytest.mark.parametrize(
    "status, body, message, code, hint",
    [
        pytest.param(404, {"error": {"code": "not_found", "message": "Run not found: x", "hint": "Look"}},
                     "Run not found: x", "not_found", "Look", id="the API's own words"),
        pytest.param(403, {"message": "Forbidden"}, "Forbidden", None, None, id="the gateway's words"),
        pytest.param(500, b"\xff<html>", "Internal Server Error", None, None, id="no words at all"),
        pytest.param(302, [], "Found", None, None, id="a redirect is not followed"),
        pytest.param(400, {"error": "text"}, "Bad Request", None, None, id="an error of another shape"),
    ],
)  # fmt: skip
def test_a_refusal_carries_what_was_said(
    client: DagyClient, server: Any, status: int, body: Any, message: str, code: str | None, hint: str | None
) -> None:
    server.answer(answer(body, status, Location="http://127.0.0.1:1/"))

    with pytest.raises(APIError) as caught:
        client.get_run("x")
    error = caught.value
    assert (error.status_code, error.message, error.error_code, error.hint) == (status, message, code, hint)
    assert str(error) == f"APIError {status}: {message}"


def test_an_answer_that_makes_no_sense_is_an_error_that_says_so(client: DagyClient, server: Any) -> None:
    server.answer(answer(b"<html>hello</html>"))

    with pytest.raises(APIError, match="not a RunResponse") as caught:
        client.get_run("x")
    assert "Is the URL that of a Dagy API?" in str(caught.value.hint)


def test_an_api_that_cannot_be_reached_is_status_0_with_the_words_of_the_reference() -> None:
    client = DagyClient("http://127.0.0.1:9", "t", retrying=Retrying(sleep=lambda s: None))

    with pytest.raises(APIError) as caught:
        client.health()
    assert str(caught.value) == (
        "APIError 0: Unable to reach Dagy API at http://127.0.0.1:9/v1. "
        "Check DAGY_API_URL/profile and network connectivity."
    )
    client.close()


def test_the_api_of_a_local_cloud_that_does_not_run_says_how_to_start_it() -> None:
    client = DagyClient("http://127.0.0.1:9/_aws/execute-api/1/$default", "t", retrying=Retrying(sleep=lambda s: None))

    with pytest.raises(APIError) as caught:
        client.health()
    assert caught.value.hint == "Start the local cloud: dagy local start"
    client.close()


@pytest.mark.parametrize("url", ["http://api.example.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_a_token_never_goes_over_plain_http_to_another_machine(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"Refusing to send a token to .* over plain http"):
        DagyClient(url, "dgy_secret").health()


@pytest.mark.parametrize("url", ["api.example.com", "https://", "https://[::1", "https://a:b", "https://a?x=1", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid API URL"):
        DagyClient(url)


def test_a_token_that_would_split_a_header_is_refused_without_being_shown(server: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        DagyClient(server.url, "dgy_secret\r\nX-Evil: 1").health()
    assert "secret" not in str(caught.value)
    assert server.asked == []


def test_names_cannot_reach_other_routes(client: DagyClient, server: Any) -> None:
    server.answer(answer(RUN))

    client.get_run("../keys?x=1#y")

    assert server.asked[0].path == "/v1/runs/..%2Fkeys%3Fx%3D1%23y"


def test_without_a_token_the_profiles_key_is_sent(server: Any) -> None:
    save_api_key("dev", "dgy_dev", api_url=server.url)
    server.answer(answer({"status": "ok", "version": "1", "stage": "dev"}))
    client = DagyClient(server.url, profile="dev")

    client.health()

    assert server.asked[0].headers["authorization"] == "Bearer dgy_dev"
    client.close()


def test_a_key_that_is_for_another_host_never_leaves_this_machine(server: Any) -> None:
    save_api_key("dev", "dgy_dev", api_url="https://api.example.com")

    with pytest.raises(Unauthenticated, match=r"is for https://api\.example\.com, so it is not sent to http://127"):
        DagyClient(server.url, profile="dev").health()
    assert server.asked == []


def test_an_expired_token_is_not_sent(server: Any) -> None:
    save_credentials("signed-in", 1.0, "a@example.com", api_url=server.url)

    with pytest.raises(TokenExpiredError):
        DagyClient(server.url).health()
    assert server.asked == []


def test_the_token_is_never_logged_or_shown(client: DagyClient, server: Any, caplog: pytest.LogCaptureFixture) -> None:
    server.answer(answer(BUSY, 503))

    with caplog.at_level(logging.DEBUG), pytest.raises(APIError) as caught:
        client.get_run("x")
    assert "dgy_secret" not in caplog.text + repr(caught.value) + repr(client)


@pytest.mark.parametrize(
    "headers, told",
    [
        pytest.param({"Dagy-Version": "0.0.9"}, "The stage runs Dagy 0.0.9, this is .*infra deploy", id="older stage"),
        pytest.param(
            {"Dagy-Version": "99.10.0"}, "The stage runs Dagy 99.10.0, this is .*pip install", id="newer stage"
        ),
        pytest.param({}, "The stage may be older", id="a stage that does not say"),
    ],
)
def test_a_refusal_that_may_come_from_another_version_says_so(
    client: DagyClient, server: Any, headers: dict[str, str], told: str
) -> None:
    body = {"error": {"code": "no_such_route", "message": "No such route: /v1/drafts"}}
    server.answer(Answer(body, 404, headers))
    with pytest.raises(APIError) as caught:
        client.get_draft("X")
    assert re.search(told, str(caught.value.hint))


@pytest.mark.parametrize(
    "version, than, expected",
    [
        ("0.9.2", "0.10.0", True), ("0.10.0rc1", "0.10.0", False), ("0.10.0", "0.9.2", False), ("1", "1.0.1", True),
        ("0.1.0", "0.1.0", False), ("2.0", "1.9.9", False), ("", "0.0.1", True), ("dev", "dev", False),
    ],
)  # fmt: skip
def test_what_is_older(version: str, than: str, expected: bool) -> None:
    assert is_older(version, than) is expected


def test_what_a_newer_stage_says_besides_is_passed_over_and_what_it_is_told_besides_is_refused() -> None:
    """So an older client reads a newer stage, and an older stage names what it does not know."""
    models = [kind for kind in vars(m).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    for kind in models:
        assert kind.__struct_config__.forbid_unknown_fields is issubclass(kind, m.Request), kind
    newer = {**RUN, "added_later": {"a": [1]}, "error": {"error_type": "E", "message": "m", "added_later": 1}}
    assert msgspec.json.decode(msgspec.json.encode(newer), type=m.RunResponse).run_id == RUN["run_id"]


def test_a_refusal_by_a_stage_of_the_same_version_says_nothing_of_versions(client: DagyClient, server: Any) -> None:
    body = {"error": {"code": "invalid_input", "message": "No", "hint": "Do"}}
    server.answer(Answer(body, 422, {"Dagy-Version": VERSION}))
    with pytest.raises(APIError) as caught:
        client.get_draft("X")
    assert caught.value.hint == "Do"


def test_every_route_of_the_client_exists_in_the_api() -> None:
    """The client and the server are built apart; a route renamed on one side is found here."""
    from dagy_runtime.api.routes import ROUTES

    asked: list[tuple[str, str]] = []

    class Listening(DagyClient):
        def __init__(self) -> None:
            super().__init__("http://127.0.0.1:1", "t")
            self._transport = self  # type: ignore[assignment]

        def send(self, method: str, path: str, **_: Any) -> bytes:
            asked.append((method, path))
            raise APIError(404, "nothing here")

    client = Listening()
    artifact = m.ArtifactModel(bucket="b", key="k", sha256="s")
    calls = [
        lambda: client.register_flow(m.FlowRegisterRequest(flow_spec={}, artifact=artifact)),
        lambda: client.stage(),
        lambda: client.get_flow("X", "X"),
        lambda: client.list_flows(),
        lambda: client.list_flow_versions("X"),
        lambda: client.put_deployment(m.DeploymentRequest(name="X", flow_name="X", flow_version="X")),
        lambda: client.get_deployment("X"),
        lambda: client.list_deployments(),
        lambda: client.change_settings("X", m.DeploymentSettingsRequest()),
        lambda: client.delete_deployment("X"),
        lambda: list(client.iter_deployment_versions("X")),
        lambda: client.roll_back("X"),
        lambda: client.trigger_run({}),
        lambda: client.get_run("X"),
        lambda: client.list_runs(),
        lambda: client.cancel_run("X"),
        lambda: client.start_runs(m.RunBulkRequest(items=[])),
        lambda: client.cancel_runs(m.RunCancelRequest()),
        lambda: list(client.iter_dead_letters()),
        lambda: client.get_dead_letter("X"),
        lambda: client.replay_dead_letter("X"),
        lambda: client.create_draft(m.DagDraftCreateRequest(name="n", canvas_json="{}")),
        lambda: client.get_draft("X"),
        lambda: list(client.iter_drafts()),
        lambda: client.change_draft("X", m.DagDraftUpdateRequest()),
        lambda: client.delete_draft("X"),
        lambda: client.register_package(m.PackageRegisterRequest(name="n", bucket="b", key="k", sha256="s")),
        lambda: client.get_package("X"),
        lambda: list(client.iter_packages()),
        lambda: client.delete_package("X"),
        lambda: list(client.iter_task_runs("X")),
        lambda: client.list_events("X"),
        lambda: client.get_logs("X"),
        lambda: client.get_result("X"),
        lambda: client.get_result("X", task_run_id="X"),
        lambda: client.create_key(m.KeyCreateRequest(name="n")),
        lambda: list(client.iter_keys()),
        lambda: client.revoke_key("X"),
        lambda: list(client.iter_users()),
        lambda: client.invite_user(m.UserInviteRequest(email="X")),
        lambda: client.get_user("X"),
        lambda: client.set_user_role("X", "viewer"),
        lambda: client.disable_user("X"),
        lambda: client.enable_user("X"),
        lambda: client.remove_user("X"),
        lambda: list(client.iter_audit()),
        lambda: client.whoami(),
        lambda: client.logout(),
        lambda: client.openapi(),
        lambda: client.health(),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(APIError):
            call()

    def shape(path: str) -> str:
        return "/".join("X" if part.startswith("{") else part for part in path.split("/"))

    assert {(route.method, shape(route.path)) for route in ROUTES} == set(asked)
