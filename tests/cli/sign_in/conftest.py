"""A server to sign in at, the profile `dev` that points to it, and a browser that does as it is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from logging_in import Login, logging_in
from sign_in_server import CLIENT_ID, SignInServer

from dagy.config import write_profile

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
def login(home: Path, tmp_path: Path) -> Iterator[Login]:
    """`dagy login` with a real Chromium, and what that saw."""
    with logging_in(tmp_path, os.environ) as login:
        yield login
