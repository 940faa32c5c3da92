"""The real emulator: what it knew is there again, after a stop and after a kill."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from dagy.aws import Aws
from dagy_infra.emulator import Emulator, Running

pytestmark = pytest.mark.local_cloud


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    home = tmp_path_factory.mktemp("cloud")
    emulator = Emulator(home, home / "venv", {})
    yield emulator
    emulator.stop(lambda _: None)


def _start(emulator: Emulator, said: list[str]) -> Running:
    return emulator.start(port=None, enforces_iam=False, report=said.append)


def _remember(running: Running, name: str) -> None:
    Aws("us-east-1", running.endpoint_url).client("ssm").put_parameter(Name=name, Value="x", Type="String")


def _known(running: Running) -> set[str]:
    parameters = Aws("us-east-1", running.endpoint_url).client("ssm").describe_parameters()["Parameters"]
    return {parameter["Name"] for parameter in parameters}


def _wait_until_saved(emulator: Emulator, name: str) -> None:
    saved, pause, ends_at = emulator.home / "state" / "ssm.json", threading.Event(), time.monotonic() + 30
    while not (saved.exists() and name in saved.read_text() and (emulator.home / "state" / "saved").exists()):
        assert time.monotonic() < ends_at, "it was not saved"
        pause.wait(0.1)


def test_what_it_knew_is_there_again_after_a_stop_and_after_a_kill(emulator: Emulator) -> None:
    said: list[str] = []
    running = _start(emulator, said)
    _remember(running, "/stopped")
    emulator.stop(said.append)

    running = _start(emulator, said)
    assert _known(running) == {"/stopped"}
    _remember(running, "/killed")
    _wait_until_saved(emulator, "/killed")
    os.kill(running.process.pid, 9)
    os.waitpid(running.process.pid, 0)

    assert _known(_start(emulator, said)) == {"/stopped", "/killed"}
    assert not any("not stopped cleanly" in line for line in said)
