"""`dagy login` in a process of its own, with a real Chromium, and what that saw."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import chromium
import pytest
from chromium import Deeds, Seen

DAGY = Path(sys.executable).parent / "dagy"
IS_REQUIRED = os.environ.get("DAGY_REQUIRE_CHROMIUM") == "1"  # now: tests empty the environment of DAGY_*
PATIENCE_S = 60
REMINDER = re.compile(r"Waiting for the browser\. If none has opened, go to\nhttp\S+\n")

Login = Callable[[Deeds], tuple["subprocess.CompletedProcess[str]", Seen]]


@contextlib.contextmanager
def logging_in(folder: Path, environ: Mapping[str, str]) -> Iterator[Login]:
    """Without a Chromium the test is skipped by name; with DAGY_REQUIRE_CHROMIUM=1 it fails.

    What the command says after five seconds is left out: on a busy machine a Chromium may take as long to begin.
    """
    if not chromium.is_here():
        if IS_REQUIRED:
            pytest.fail("There is no Chromium, and DAGY_REQUIRE_CHROMIUM=1 wants one: tools/chromium.sh")
        pytest.skip("no Chromium: tools/chromium.sh installs it or says how")
    task = folder / "browsing.json"
    browser = {"BROWSER": f"{sys.executable} {chromium.__file__} %s", "BROWSING": str(task)}

    def run(deeds: Deeds) -> tuple[subprocess.CompletedProcess[str], Seen]:
        task.write_text(json.dumps(asdict(deeds)))
        task.with_suffix(".seen").unlink(missing_ok=True)
        done = subprocess.run(
            [DAGY, "login"], capture_output=True, text=True, timeout=150, env={**environ, **browser}, check=False
        )
        done.stderr = REMINDER.sub("", done.stderr)
        deadline = time.monotonic() + PATIENCE_S
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
