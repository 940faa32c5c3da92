"""`dagy doctor`: what is wrong is found, told with the command that mends it, and nothing is changed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dagy.config import write_profile
from dagy.version import VERSION

Findings = dict[str, dict[str, Any]]


@pytest.fixture
def examine(dagy: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the doctor found, by check, when the exit code is as expected. The home is the test's, the shell bash."""
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.setenv("SHELL", "/bin/bash")

    def ask(*words: str, expect: int = 0) -> Findings:
        rows = dagy("doctor", "--json", *words, expect=expect).json
        assert (1 if any(row["outcome"] == "failed" for row in rows) else 0) == expect
        for row in rows:
            assert set(row) == {"check", "outcome", "detail", "mend"}
            if row["outcome"] in ("failed", "warning"):
                assert row["mend"], row
        return {row["check"]: row for row in rows}

    return ask


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Nobody's credentials: AWS is not asked."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")


@contextmanager
def answering(body: Any, *, off_s: float = 0.0, status: int = 200) -> Iterator[str]:
    """A server that answers everything with `body`, and has a clock of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(body).encode() if not isinstance(body, bytes) else body
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + off_s, usegmt=True))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


HEALTH = {"status": "ok", "version": VERSION, "stage": "dev"}


def test_where_all_is_well_everything_is_looked_at_and_nothing_changed(
    examine: Any, dagy: Any, stage: Any, manifest: Any, home: Path
) -> None:
    manifest()
    before = sorted(home.rglob("*"))

    found = examine()

    assert {check: row["outcome"] for check, row in found.items()} == {
        "python": "ok", "local folder": "ok", "records": "ok", "time zones": "ok", "completion": "warning",
        "node": "ok", "cdk": "ok", "profile": "ok", "api": "ok", "version": "ok", "clock": "ok", "sign-in": "ok",
        "aws": "ok", "stage": "ok",
    }  # fmt: skip
    assert found["sign-in"]["detail"].startswith("admin (key), admin until 20")
    assert stage.asked == ["GET /v1/health", "GET /v1/whoami"]
    assert sorted(home.rglob("*")) == before


@pytest.mark.usefixtures("no_aws")
def test_on_a_new_machine_nothing_has_failed_and_nothing_is_made(examine: Any, dagy: Any, home: Path) -> None:
    found = examine()
    said = dagy("doctor")

    assert found["records"]["detail"].endswith("no records yet")
    assert (found["profile"]["outcome"], found["profile"]["mend"]) == ("warning", "dagy config")
    assert found["api"]["outcome"] == found["aws"]["outcome"] == "skipped"
    assert any(line.endswith("→ dagy config") for line in said.stdout.splitlines())
    assert "to be looked at" in said.stderr
    assert not home.exists()


@pytest.mark.usefixtures("no_aws")
def test_a_folder_that_cannot_be_written_is_told(examine: Any, home: Path) -> None:
    home.write_text("a file where the folder belongs")

    row = examine(expect=1)["local folder"]
    assert row["outcome"] == "failed"
    assert row["mend"].startswith("export DAGY_LOCAL_DIR=")


@pytest.mark.usefixtures("no_aws")
def test_records_that_are_damaged_are_told_and_mended_by_the_command(examine: Any, dagy: Any, home: Path) -> None:
    home.mkdir()
    (home / "dagy.duckdb").write_bytes(b"no database at all" * 1000)

    row = examine(expect=1)["records"]
    assert row["mend"] == "dagy runs list"
    dagy("runs", "list")
    assert examine()["records"]["outcome"] == "ok"


@pytest.mark.usefixtures("no_aws")
def test_records_that_another_process_holds_are_a_warning(examine: Any, dagy: Any, home: Path) -> None:
    home.mkdir()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(home / "dagy.duckdb")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        row = examine()["records"]
        holder.kill()

    assert row["outcome"] == "warning"
    assert "held by another process" in row["detail"]


@pytest.mark.usefixtures("no_aws")
def test_completion_is_looked_for_in_the_shell_that_is_used(
    examine: Any, dagy: Any, home: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert examine()["completion"]["mend"] == "dagy completion fish --install"

    dagy("completion", "fish", "--install", "--yes")
    assert examine()["completion"]["outcome"] == "ok"

    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert examine()["completion"]["outcome"] == "skipped"


@pytest.mark.usefixtures("no_aws")
def test_an_api_that_is_not_there_is_told(examine: Any) -> None:
    write_profile("dev", api_url="http://127.0.0.1:9")

    row = examine(expect=1)["api"]
    assert "http://127.0.0.1:9/v1 does not answer" in row["detail"]
    assert row["mend"] == "dagy config set dev --api-url <URL>"


@pytest.mark.usefixtures("no_aws")
def test_an_api_that_accepts_and_says_nothing(examine: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write_profile("dev", api_url=f"http://127.0.0.1:{silent.getsockname()[1]}")

        assert "does not answer" in examine(expect=1)["api"]["detail"]


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize("body", [b"<html>", {"message": "Not Found"}, [1]])
def test_an_api_that_is_something_else(examine: Any, body: Any) -> None:
    with answering(body, status=404) as url:
        write_profile("dev", api_url=url)

        assert f"{url}/v1 is no Dagy API: it answers with HTTP 404" in examine(expect=1)["api"]["detail"]


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize(
    "theirs, mend",
    [("0.0.9", "dagy infra deploy --stage dev"), ("99.0.0", "pip install --upgrade dagy")],
)
def test_an_api_of_another_version(examine: Any, theirs: str, mend: str) -> None:
    with answering({**HEALTH, "version": theirs}) as url:
        write_profile("dev", api_url=url)

        row = examine()["version"]
    assert (row["outcome"], row["mend"]) == ("warning", mend)
    assert theirs in row["detail"]


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize(
    "off_s, outcome, said",
    [
        (0, "ok", "agrees"),
        (60, "warning", "behind"),
        (-120, "warning", "ahead"),
        (3600, "failed", "3,600 s behind"),
    ],
)
def test_an_api_whose_clock_goes_otherwise(examine: Any, off_s: float, outcome: str, said: str) -> None:
    with answering(HEALTH, off_s=off_s) as url:
        write_profile("dev", api_url=url)

        row = examine(expect=int(outcome == "failed"))["clock"]
    assert row["outcome"] == outcome
    assert said in row["detail"]


@pytest.mark.usefixtures("no_aws")
def test_an_api_without_a_sign_in_is_a_warning(examine: Any) -> None:
    with answering(HEALTH) as url:
        write_profile("dev", api_url=url)
        assert examine()["sign-in"]["mend"] == "dagy keys create --via-aws --save-profile --profile dev"
        write_profile("dev", app_url="http://127.0.0.1:9")
        assert examine()["sign-in"]["mend"] == "dagy login --profile dev"


def test_a_key_that_the_api_does_not_know_is_told(examine: Any, stage: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DAGY_API_KEY", "dgy_nobody_knowsit")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    assert examine(expect=1)["sign-in"]["outcome"] == "failed"


def test_a_stage_that_is_not_provisioned_or_elsewhere_or_old_is_told(examine: Any, stage: Any, manifest: Any) -> None:
    row = examine(expect=1)["stage"]
    assert row["mend"] == "dagy infra deploy --stage dev"

    manifest(api_url="http://127.0.0.1:1")
    row = examine()["stage"]
    assert row["mend"] == "dagy config set dev --api-url http://127.0.0.1:1"


def test_a_stage_that_an_older_dagy_deployed_is_told(examine: Any, stage: Any, manifest: Any) -> None:
    manifest(stack_version="0.0.1")

    row = examine()["stage"]
    assert (row["outcome"], row["mend"]) == ("warning", "dagy infra deploy --stage dev")


@pytest.mark.usefixtures("no_aws")
def test_a_configuration_that_cannot_be_read_and_a_profile_that_is_not_there_are_told(examine: Any, home: Path) -> None:
    assert examine("--profile", "gone", expect=1)["profile"]["detail"] == "Profile not found: gone"
    home.mkdir()
    (home / "config.yaml").write_text("profiles: [broken")
    row = examine(expect=1)["profile"]
    assert "Cannot read" in row["detail"]
    assert row["mend"] == "dagy config"
