"""A server to sign in at, the profile `dev` that points to it, and a browser that does as it is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import chromium
import pytest
from chromium import Deeds, Seen
from sign_in_server import CLIENT_ID, SignInServer

from dagy.config import write_profile

DAGY = Path(sys.executable).parent / "dagy"
IS_CHROMIUM_REQUIRED = (
    os.environ.get("DAGY_REQUIRE_CHROMIUM") == "1"
)  # now: each test empties the environment of DAGY_*
VISITOR = Path(__file__).parents[2] / "browsing" / "visitor.py"


@pytest.fixture(scope="package")
def started() -> Iterator[SignInServer]:
    """One for all, because a key for signing takes a while to make."""
    with SignInServer() as server:
        yield server


@pytest.fixture
def server(started: SignInServer, home: Path) -> SignInServer:
    """As it is when no test has changed it; the profile names no issuer."""
    fresh = SignInServer(started.url, key=started.key)
    for part in fields(SignInServer):
        setattr(started, part.name, getattr(fresh, part.name))
    write_profile("dev", api_url=started.url, app_url=started.url)
    return started


@pytest.fixture
def with_issuer(server: SignInServer) -> SignInServer:
    """Answers with codes, which the profile can exchange."""
    write_profile("dev", issuer=server.url, client_id=CLIENT_ID)
    server.answers_with = "code"
    return server


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Decide what the browser does that `dagy login` opens."""

    def does(what: str) -> None:
        monkeypatch.setenv("BROWSER", f"{sys.executable} {VISITOR} %s")
        monkeypatch.setenv("VISIT", what)

    return does


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Callable[[Deeds], tuple[subprocess.CompletedProcess[str], Seen]]]:
    """`dagy login` in a process of its own, with a real Chromium, and what that saw. Without one the test is skipped by
    name; with DAGY_REQUIRE_CHROMIUM=1 it fails.
    """
    if not chromium.is_here():
        if IS_CHROMIUM_REQUIRED:
            pytest.fail("There is no Chromium, and DAGY_REQUIRE_CHROMIUM=1 wants one: tools/chromium.sh")
        pytest.skip("no Chromium: tools/chromium.sh installs it or says how")
    task = tmp_path / "browsing.json"
    environ = {
        **os.environ,
        "BROWSER": f"{sys.executable} {chromium.__file__} %s",
        "BROWSING": str(task),
    }

    def run(deeds: Deeds) -> tuple[subprocess.CompletedProcess[str], Seen]:
        task.write_text(json.dumps(asdict(deeds)))
        done = subprocess.run([DAGY, "login"], capture_output=True, text=True, timeout=150, env=environ)
        deadline = time.monotonic() + 60
        while not task.with_suffix(".seen").exists():  # the browser goes on when the command has ended
            if task.with_suffix(".failed").exists():
                pytest.fail(task.with_suffix(".failed").read_text())
            assert time.monotonic() < deadline, f"Chromium saw nothing:\n{done.stderr}"
            time.sleep(0.02)
        return done, Seen(**json.loads(task.with_suffix(".seen").read_text()))

    yield run
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int(task.with_suffix(".pid").read_text())
        if not task.with_suffix(".seen").exists():
            os.kill(pid, signal.SIGTERM)
