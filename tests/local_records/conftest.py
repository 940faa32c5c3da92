"""A home of its own for every test, and flows in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def hear_ctrl_c() -> None:
    """A shell makes what it starts in the background deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(path))
    for name in ("DAGY_LOCAL_VERBOSE", "DAGY_LOCAL_ARTIFACT_MAX_BYTES"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def start(home: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run Python source in a process of its own; all are killed at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(source: str) -> subprocess.Popen[str]:
        script = tmp_path / f"script{len(processes)}.py"
        script.write_text(source)
        process = subprocess.Popen(
            [sys.executable, "-u", str(script)],
            env={**os.environ, "DAGY_LOCAL_DIR": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
