"""Starting and stopping the emulator: once, on the loopback interface, and never somebody else's process."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dagy.core.errors import Conflict, Unavailable
from dagy_infra.emulator import Emulator
from dagy_infra.processes import Process

Install = Callable[..., Emulator]


def _start(emulator: Emulator, *, port: int | None = None, enforces_iam: bool = False, said: list[str] | None = None):
    said = [] if said is None else said
    return emulator.start(port=port, enforces_iam=enforces_iam, report=said.append)


def _is_gone(pid: int) -> bool:
    """A killed process is there a moment longer, and as a zombie until somebody asks for it."""
    ends_at, pause = time.monotonic() + 5, threading.Event()
    while time.monotonic() < ends_at:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        pause.wait(0.01)
    return False


def test_it_is_there_until_it_is_stopped_also_for_other_commands(install: Install) -> None:
    emulator = install()
    assert emulator.running() is None
    running = _start(emulator)
    again = Emulator(emulator.home, emulator.venv, {})  # as another command sees it
    assert again.running() == running
    assert again.stop(lambda _: None)
    assert not running.process.is_alive
    assert again.running() is None
    assert not again.stop(lambda _: None)


def test_what_it_started_ends_with_it(install: Install) -> None:
    emulator = install()
    _start(emulator)
    worker = int((emulator.home / "worker.pid").read_text())
    os.kill(worker, 0)
    emulator.stop(lambda _: None)
    assert _is_gone(worker)


def test_what_it_left_behind_when_it_crashed_ends_too(install: Install) -> None:
    emulator = install()
    running = _start(emulator)
    worker = int((emulator.home / "worker.pid").read_text())
    os.kill(running.process.pid, 9)
    os.waitpid(running.process.pid, 0)
    assert emulator.running() is None
    assert not emulator.stop(lambda _: None)
    assert _is_gone(worker)


def _crash(emulator: Emulator) -> None:
    running = emulator.running()
    assert running is not None
    os.kill(running.process.pid, 9)
    os.waitpid(running.process.pid, 0)


@pytest.mark.parametrize(
    "mark, is_whole, is_kept",
    [
        pytest.param("running", True, True, id="saved a moment before, and whole"),
        pytest.param("running", False, False, id="saved while a stage was being made"),
        pytest.param(None, True, False, id="while it was being saved"),
    ],
)
def test_after_a_crash_it_goes_on_or_says_that_it_starts_anew(
    install: Install, mark: str | None, is_whole: bool, is_kept: bool
) -> None:
    emulator, said = install(), []
    _start(emulator)
    (emulator.home / "s3" / "bucket").mkdir()
    if mark is None:
        (emulator.home / "state" / "saved").unlink()
    _crash(emulator)

    running = emulator.start(port=None, enforces_iam=False, report=said.append, is_whole=lambda _: is_whole)

    assert emulator.running() == running
    assert (emulator.home / "s3" / "bucket").exists() is is_kept
    assert any("not stopped cleanly" in line for line in said) is not is_kept


def test_after_a_stop_nobody_asks_whether_it_is_whole(install: Install) -> None:
    emulator, said = install(), []
    _start(emulator)
    (emulator.home / "s3" / "bucket").mkdir()
    emulator.stop(lambda _: None)
    emulator.start(port=None, enforces_iam=False, report=said.append, is_whole=lambda _: False)
    assert (emulator.home / "s3" / "bucket").exists()
    assert len(said) == 1


def test_a_second_start_finds_the_first(install: Install) -> None:
    emulator = install()
    said: list[str] = []
    first = _start(emulator, said=said)
    assert _start(emulator, said=said) == first
    assert len(said) == 1


def test_a_start_that_asks_for_something_else_restarts_it_on_its_port(install: Install) -> None:
    emulator = install()
    first = _start(emulator)
    second = _start(emulator, enforces_iam=True)
    assert second.process != first.process
    assert not first.process.is_alive
    assert second.port == first.port  # profiles and the manifest hold it


def test_it_serves_this_machine_only_and_inherits_no_secrets(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("DAGY_API_KEY", "real")
    emulator = install()
    _start(emulator)
    environ = ast.literal_eval((emulator.home / "environ").read_text())
    assert environ["BIND_HOST"] == "127.0.0.1"
    assert environ["EXTRA"] == "1"
    assert "real" not in environ.values()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield somebody.getsockname()[1]


def test_a_port_that_is_taken_is_refused_when_it_was_asked_for(install: Install, taken: int) -> None:
    emulator = install()
    with pytest.raises(Conflict, match=str(taken)):
        _start(emulator, port=taken)
    assert emulator.running() is None


def test_a_port_that_is_taken_is_left_when_it_was_only_the_last_one(install: Install, taken: int) -> None:
    emulator = install()
    emulator.home.mkdir(parents=True)
    record = {"pid": 1, "began": "never", "port": taken, "enforces_iam": False}
    (emulator.home / "emulator.json").write_text(json.dumps(record))
    assert _start(emulator).port != taken


def test_a_process_that_got_the_number_later_is_left_alone(install: Install) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        try:
            stale = Process(innocent.pid, "another time")
            assert not stale.is_alive
            assert not stale.stop(grace_s=0)
            assert innocent.poll() is None
        finally:
            innocent.kill()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_record_that_makes_no_sense_is_no_emulator(install: Install, record: str) -> None:
    emulator = install()
    emulator.home.mkdir(parents=True)
    (emulator.home / "emulator.json").write_text(record)
    assert emulator.running() is None
    assert _start(emulator).process.is_alive


def test_one_that_dies_at_once_is_reported_with_its_log(install: Install) -> None:
    emulator = install("import sys; sys.exit('no luck')")
    with pytest.raises(Unavailable) as refused:
        _start(emulator)
    assert str(emulator.log) in str(refused.value.hint)
    assert "no luck" in emulator.log.read_text()
    assert emulator.running() is None


def test_forgetting_deletes_what_it_stored_and_keeps_what_was_installed(install: Install) -> None:
    emulator = install()
    _start(emulator)
    (emulator.home / "state" / "s3.json").write_text("{}")
    emulator.stop(lambda _: None)
    emulator.forget()
    assert not (emulator.home / "state").exists()
    assert emulator.venv.exists()


def test_many_readers_see_one_answer(install: Install) -> None:
    emulator = install()
    running = _start(emulator)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: emulator.running(), range(32))) == {running}
