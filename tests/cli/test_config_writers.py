"""Several wizards and commands at once: the second is told what the first has done, and nothing is lost."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from dagy.config import read_config, write_profile

DAGY = Path(sys.executable).parent / "dagy"
API = "https://api.example.com"


def waiting_wizard(*lines: str) -> subprocess.Popen[str]:
    """A wizard in a process of its own that has these answers and waits for more."""
    process = subprocess.Popen(
        [DAGY, "config"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()
    return process


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    seen = ""
    while text not in seen:
        letter = process.stdout.read(1)
        assert letter, f"{text!r} was never said:\n{seen}"
        seen += letter


def test_of_two_wizards_that_make_the_same_profile_the_second_is_told(home: Path, dagy: Any) -> None:
    slow = waiting_wizard("dev", "https://slow.example.com")
    try:
        wait_for(slow, "[Use default (heavy_grid)]")
        dagy("config", "set", "dev", "--api-url", "https://quick.example.com")
        _, errors = slow.communicate("\n", timeout=60)
    finally:
        slow.kill()

    assert slow.returncode == 6
    assert "Error: Profile 'dev' exists" in errors
    assert read_config().profiles["dev"].api_url == "https://quick.example.com"


def test_a_profile_that_was_deleted_meanwhile_does_not_come_back(home: Path, dagy: Any) -> None:
    write_profile("dev", api_url=API)
    write_profile("prod", api_url=API, table_format="plain")
    slow = waiting_wizard("prod", "edit", "https://slow.example.com")
    try:
        wait_for(slow, "[Keep plain]")
        dagy("config", "delete", "prod", "--yes")
        _, errors = slow.communicate("\n", timeout=60)
    finally:
        slow.kill()

    assert slow.returncode == 5
    assert "Error: Profile not found: prod" in errors
    assert list(read_config().profiles) == ["dev"]


def test_wizards_at_the_same_time_lose_nothing(home: Path) -> None:
    names = [f"p{number}" for number in range(6)]
    wizards = [waiting_wizard(name, API) for name in names]
    try:
        for process in wizards:
            wait_for(process, "[Use default (heavy_grid)]")
        for process in wizards:  # all have asked, none has written
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.close()
        assert [process.wait(timeout=60) for process in wizards] == [0] * len(names)
    finally:
        for process in wizards:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()

    assert set(read_config().profiles) == set(names)
    assert read_config().default_profile in names
    assert stat.S_IMODE((home / "config.yaml").stat().st_mode) == 0o600
