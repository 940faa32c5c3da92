"""`dagy dev`: runs again when a file changes, ends what it started, and comes to an end itself."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DAGY = Path(sys.executable).parent / "dagy"
LAST_S = 60.0
FLOW = """\
from pathlib import Path
from dagy import flow, task
from numbers_of_mine import NUMBER

@task
def tell(word: str):
    print("the number is", NUMBER, word, Path("data.txt").read_text())

@flow
def telling(word: str = "!"):
    tell(word)
"""
HANGING = """\
import os, subprocess, time
from pathlib import Path
from dagy import flow, task

@task
def hang():
    child = subprocess.Popen(["sh", "-c", "trap '' INT; sleep 1000; sleep 1000"])
    Path("pids").write_text(f"{os.getpid()} {child.pid}")
    print("hanging", flush=True)
    time.sleep(1000)

@flow
def hanging():
    hang()
"""


class Dev:
    """`dagy dev`, and what it has said so far."""

    def __init__(self, *words: str) -> None:
        self.said = ""
        self.process = subprocess.Popen(
            [DAGY, "dev", *words, "--delay", "100"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def until(self, text: str) -> str:
        """Everything said since the last time, up to and with the text."""
        deadline_s = time.monotonic() + LAST_S
        while text not in self.said:
            assert time.monotonic() < deadline_s, self.said
            assert self.process.stdout is not None
            readable, _, _ = select.select([self.process.stdout], [], [], LAST_S)
            assert readable, f"waited in vain for {text!r}:\n{self.said}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it ended before it said {text!r}:\n{self.said}"
            self.said += data.decode()
        before, _, self.said = self.said.partition(text)
        return before + text

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=LAST_S)
        self.said += rest.decode()
        return self.process.returncode


@pytest.fixture
def dev(home: Path) -> Iterator[Callable[..., Dev]]:
    started: list[Dev] = []

    def start(*words: str) -> Dev:
        started.append(Dev(*words))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end()
        each.process.kill()
        each.process.wait()
        if each.process.stdout is not None:
            each.process.stdout.close()


@pytest.fixture
def telling() -> None:
    Path("telling.py").write_text(FLOW)
    Path("numbers_of_mine.py").write_text("NUMBER = 1\n")
    Path("data.txt").write_text("of data")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LAST_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


WAITING = "waiting for a change (Ctrl+C ends)\n"


@pytest.mark.usefixtures("home", "telling")
def test_it_runs_again_when_the_flow_a_module_of_it_or_a_data_file_changes(dev: Any) -> None:
    running = dev("telling.py:telling", "--param", "word=?", "--include", "data.txt")
    first = running.until(WAITING)
    assert "[dev] watching data.txt, numbers_of_mine.py, telling.py" in first
    assert "the number is 1 ? of data\n" in first
    assert re.search(r"Run completed: telling-\S+ status=SUCCEEDED\n", first)

    Path("numbers_of_mine.py").write_text("NUMBER = 2\n")
    second = running.until(WAITING)
    assert "[dev] numbers_of_mine.py changed: running again\n" in second
    assert "the number is 2 ? of data\n" in second

    Path("data.txt").write_text("of more data")
    assert "the number is 2 ? of more data\n" in running.until(WAITING)

    Path("telling.py").write_text(FLOW.replace("the number", "number"))
    assert "number is 2 ? of more data\n" in running.until(WAITING)

    assert running.end() == 0
    assert running.said.endswith("[dev] ended\n")


@pytest.mark.usefixtures("home", "telling")
def test_a_module_that_an_edit_imports_is_watched_from_then_on(dev: Any) -> None:
    running = dev("telling.py")
    running.until(WAITING)
    Path("telling.py").write_text("import late\n" + FLOW)
    missing = running.until(WAITING)
    assert "No module named 'late'" in missing
    assert "[dev] it failed" in missing

    Path("late.py").write_text("print('late, but here')\n")
    assert "late, but here" in running.until(WAITING)
    Path("late.py").write_text("print('changed, too')\n")
    assert "changed, too" in running.until(WAITING)


@pytest.mark.usefixtures("home", "telling")
@pytest.mark.parametrize("file", ["telling.py", "numbers_of_mine.py"])
def test_an_edit_that_is_no_python_is_told_and_the_next_one_waited_for(dev: Any, file: str) -> None:
    running = dev("telling.py")
    running.until(WAITING)
    good = Path(file).read_text()

    Path(file).write_text(good + "oops(\n")
    broken = running.until(WAITING)
    assert "SyntaxError" in broken
    assert f"{file}, line" in broken
    assert "Traceback" not in broken

    Path(file).unlink()
    assert "[dev] it failed" in running.until(WAITING)

    Path(file).write_text(good)
    assert "the number is 1" in running.until(WAITING)


@pytest.mark.usefixtures("home")
def test_a_file_that_is_broken_from_the_start_is_no_reason_to_end(dev: Any) -> None:
    Path("telling.py").write_text("import numbers_of_mine\noops(")
    Path("numbers_of_mine.py").write_text("NUMBER = 1\n")
    running = dev("telling.py")
    assert "SyntaxError" in running.until(WAITING)
    Path("telling.py").write_text(FLOW.replace('Path("data.txt").read_text()', '"nothing"'))
    assert "the number is 1 ! nothing" in running.until(WAITING)


@pytest.mark.usefixtures("home")
def test_a_run_under_way_is_ended_with_all_its_processes_when_a_change_comes(dev: Any, dagy: Any) -> None:
    Path("hanging.py").write_text(HANGING)
    running = dev("hanging.py")
    running.until("hanging\n")
    wait_until(lambda: Path("pids").read_text() != "")
    pids = [int(pid) for pid in Path("pids").read_text().split()]

    Path("hanging.py").write_text(HANGING.replace("hang()\n\n", "hang()\n\n\n").replace("1000", "1"))
    assert "hanging.py changed: ending the run and running again" in running.until("running again")
    running.until(WAITING)

    wait_until(lambda: all(map(is_gone, pids)))
    runs = dagy("runs", "list", "--json").json
    assert [run["status"] for run in runs] == ["SUCCEEDED", "CANCELLED"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_end_is_an_end_of_everything_with_exit_code_0(dev: Any, dagy: Any, number: signal.Signals) -> None:
    Path("hanging.py").write_text(HANGING)
    running = dev("hanging.py")
    running.until("hanging\n")
    wait_until(lambda: Path("pids").read_text() != "")
    pids = [int(pid) for pid in Path("pids").read_text().split()]

    assert running.end(number) == 0

    wait_until(lambda: all(map(is_gone, pids)))
    assert dagy("runs", "list", "--json").json[0]["status"] == "CANCELLED"
    assert "Traceback" not in running.said


@pytest.mark.usefixtures("home")
def test_a_second_ctrl_c_waits_for_nobody(dev: Any) -> None:
    deaf = HANGING.replace(
        "from dagy import", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nfrom dagy import"
    )
    Path("hanging.py").write_text(deaf)
    running = dev("hanging.py")
    running.until("hanging\n")
    wait_until(lambda: Path("pids").read_text() != "")
    pids = [int(pid) for pid in Path("pids").read_text().split()]

    running.process.send_signal(signal.SIGINT)
    running.until("[dev] ending the run (Ctrl+C again kills it)\n")
    assert running.end() == 0

    wait_until(lambda: all(map(is_gone, pids)))


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param(["gone.py"], 5, "Flow file not found: gone.py", id="no file"),
        pytest.param(["etl"], 2, "Flow target must be in <path>:<flow_fn> format", id="a bare name"),
        pytest.param(["here.py", "--delay", "99"], 2, "99 is not in the range", id="too often"),
        pytest.param(["here.py", "--param", "x"], 2, "Invalid param 'x'", id="half a parameter"),
        pytest.param(["here.py", "--include", "*.csv"], 2, "Include '*.csv' matches no file", id="no data"),
    ],
)
def test_what_cannot_be_watched_is_told_at_once(dagy: Any, words: list[str], code: int, message: str) -> None:
    Path("here.py").touch()

    assert message in dagy("dev", *words, expect=code).stderr
