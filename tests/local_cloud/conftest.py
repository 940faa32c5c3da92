"""An emulator that is nothing but a health endpoint, installed where the real one would be."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagy_infra import emulator
from dagy_infra.emulator import Emulator

SERVER = """
import http.server, os, pathlib, signal, subprocess, sys
def end(*_):
    pathlib.Path(sys.argv[-1]).write_text("clean")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/_ministack/health" else 404)
        self.end_headers()
    def log_message(self, *args): pass
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("worker.pid").write_text(str(worker.pid))
pathlib.Path("environ").write_text(repr(dict(os.environ)))
http.server.ThreadingHTTPServer((os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])), Health).serve_forever()
"""


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Make an emulator whose program is `source`. It is stopped, with all it started, when the test ends."""
    made: list[Emulator] = []

    def install(source: str = SERVER) -> Emulator:
        made.append(Emulator(tmp_path / "cloud", tmp_path / "venv", {"EXTRA": "1"}))
        python = tmp_path / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ministack.py").write_text(source)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path / "ministack.py"}" "$@"\n')
        python.chmod(0o755)
        stamp = json.dumps([*emulator._REQUIREMENTS, sys.version.split()[0]])
        (tmp_path / "venv" / "dagy.json").write_text(stamp)
        (tmp_path / "venv" / "dagy.json").chmod(0o600)
        return made[-1]

    yield install
    for started in made:
        started.stop(lambda _: None)
