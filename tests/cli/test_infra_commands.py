"""`dagy infra`: whose stage a command means, and what it says of one that is not there.

AWS is a few lines here: moto's CloudFormation needs every service that moto has.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from dagy.config import write_profile


class Aws(BaseHTTPRequestHandler):
    """CloudFormation and STS of one account. Stacks are `region/name`."""

    stacks: set[str]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers["Authorization"])
        query = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action, name = query["Action"][0], query.get("StackName", [""])[0]
        stack = f"{scope[1] if scope else None}/{name}"
        status, answer = 200, ""
        if action == "GetCallerIdentity":
            answer = "<Account>123456789012</Account>"
        elif action == "DeleteStack":
            self.stacks.discard(stack)
        elif stack in self.stacks:
            answer = (
                f"<Stacks><member><StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
                "<CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
            )
        else:
            status = 400
        body = f"<{action}Response><{action}Result>{answer}</{action}Result></{action}Response>"
        if status == 400:
            words = f"Stack with id {name} does not exist"
            body = (
                f"<ErrorResponse><Error><Code>ValidationError</Code><Message>{words}</Message></Error></ErrorResponse>"
            )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def aws(home: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it holds the credentials it was made with
    standing = {
        f"{place}-{part}" for place in ("us-east-1/Dagy-dev", "eu-west-1/Dagy-prod") for part in ("Data", "App")
    }
    handler = type("Handler", (Aws,), {"stacks": standing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def profiles(home: Any) -> None:
    write_profile("eu", stage="prod", region="eu-west-1")  # the first one, so the default one
    write_profile("local", stage="local", region="us-east-1", endpoint_url="http://127.0.0.1:9")
    write_profile("web", api_url="https://api.example.com")


def _stacks(dagy: Any, *words: str) -> list[str]:
    return [stack["name"] for stack in dagy("infra", "status", *words, "--json").json]


@pytest.mark.parametrize(
    "words, stage",
    [
        pytest.param([], "dev", id="dev when nothing was said, whatever the default profile is"),
        pytest.param(["-p", "eu"], "prod", id="the profile's, in its region"),
        pytest.param(["-p", "eu", "--stage", "dev", "--region", "us-east-1"], "dev", id="the flag wins"),
        pytest.param(["-p", "local", "--stage", "dev"], "dev", id="another stage is not in the local cloud"),
        pytest.param(["-p", "web", "--stage", "dev"], "dev", id="a profile without a stage needs the flag"),
    ],
)
def test_which_stage_is_meant(dagy: Any, words: list[str], stage: str) -> None:
    assert _stacks(dagy, *words) == [f"Dagy-{stage}-Data", f"Dagy-{stage}-App"]


def test_the_environment_chooses_a_profile_too(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGY_PROFILE", "eu")
    assert _stacks(dagy) == ["Dagy-prod-Data", "Dagy-prod-App"]


@pytest.mark.parametrize(
    "words, code, told",
    [
        pytest.param(["status", "-p", "nobody"], 5, "Profile not found: nobody", id="unknown profile"),
        pytest.param(
            ["destroy", "-p", "nobody", "--yes"], 5, "Profile not found: nobody", id="never a guess to destroy"
        ),
        pytest.param(["deploy", "-p", "nobody"], 5, "Profile not found: nobody", id="a new profile needs a stage"),
        pytest.param(["status", "-p", "web"], 2, "Profile web names no stage", id="profile without a stage"),
        pytest.param(["status", "-p", "local"], 4, "dagy local start", id="the local cloud does not run"),
        pytest.param(["deploy", "--stage", "local"], 2, "dagy local start", id="the local cloud deploys itself"),
        pytest.param(["deploy", "-p", "eu", "--stage", "dev"], 2, "would be lost", id="a profile is not overwritten"),
        pytest.param(["status", "--stage", "qa"], 5, "dagy infra deploy --stage qa", id="no such stage"),
        pytest.param(["outputs", "--stage", "qa"], 5, "dagy infra deploy --stage qa", id="nor its outputs"),
        pytest.param(["destroy", "--stage", "qa", "--yes"], 5, "dagy infra deploy --stage qa", id="nor to destroy"),
    ],
)
def test_what_is_refused(dagy: Any, words: list[str], code: int, told: str) -> None:
    said = dagy("infra", *words, expect=code)
    assert told in said.stderr
    assert said.stdout == ""


def test_destroy_asks_by_stage_account_and_region(dagy: Any) -> None:
    said = dagy("infra", "destroy", "-p", "eu", expect=2)
    assert "Delete stack Dagy-prod-App of stage prod in account 123456789012, region eu-west-1?" in said.stderr


def test_destroy_says_what_it_deleted_and_what_is_left(dagy: Any) -> None:
    said = dagy("infra", "destroy", "-p", "eu", "--yes")
    assert said.stdout == "Deleted stage prod in account 123456789012, region eu-west-1; left: Dagy-prod-Data\n"
    stacks = dagy("infra", "status", "-p", "eu", "--json").json
    assert [stack["status"] for stack in stacks] == ["CREATE_COMPLETE", "NOT_DEPLOYED"]
