"""A small server on this machine that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dagy.client.http import DagyClient
from dagy.client.transport import Retrying


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """`answers` (body, status, headers) are given in turn, the last one again and again. None closes the connection."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def answer(self, *answers: Any) -> None:
        self.answers[:] = answers


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            known.asked.append(Asked(self.command, self.path, headers, json.loads(data) if data else None))
            answer = known.answers[0] if len(known.answers) == 1 else known.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    known = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture
def waits() -> list[float]:
    """How long the client waited between its tries; it does not really wait."""
    return []


@pytest.fixture
def client(server: Server, waits: list[float]) -> Iterator[DagyClient]:
    client = DagyClient(server.url, "dgy_secret", retrying=Retrying(sleep=waits.append))
    yield client
    client.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("DAGY_", "AWS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path / "home"))
    return tmp_path / "home"
