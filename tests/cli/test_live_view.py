"""What is seen of a run while it goes on: on a terminal, which this file plays, and elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.ports import TaskOutcome
from dagy_runtime.values import TaskRun

DAGY = Path(sys.executable).parent / "dagy"
# The program becomes the one that the terminal belongs to, as a shell would make it.
OWNING = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
GATED = """\
import os, subprocess, sys, time
from pathlib import Path
from dagy import flow, task

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.005)

@task
def first(n: int):
    print(f"first {n} begins")
    wait_for(f"go-{n}")
    print("the line of ", end="")
    print(f"first {n} has two halves")
    return n

@task(retries=1)
def second(n: int):
    if n == 1:
        raise ValueError("one is no number")
    return n

@flow
def gated(n: int = 2):
    return [second(first(i)) for i in range(n)]
"""
LAST_S = 60.0


class Terminal:
    """As much of a VT100 as is needed to see what a person would see. Lines that scroll away are kept."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns or 80, rows or 24
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.wraps = True
        self.colors = False
        self.bytes = b""
        self._rest = b""

    def feed(self, data: bytes) -> None:
        self.bytes += data
        text = (self._rest + data).decode("utf-8", errors="replace")
        position = 0
        for match in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x00-\x1f]", text):
            position = match.end()
            if match[2]:
                self._control(match[1], match[2])
            elif match[0] == "\r":
                self.column = 0
            elif match[0] == "\n":
                self._down()
            else:
                self._put(match[0])
        self._rest = text[position:].encode() if text[position:].startswith("\x1b") else b""

    def _control(self, numbers: str, verb: str) -> None:
        if verb == "m":
            self.colors = True
        elif verb == "A":
            self.row = max(self.row - int(numbers or 1), len(self.lines) - self.rows, 0)
        elif verb in "KJ":
            del self.lines[self.row][self.column :]
            if verb == "J":
                del self.lines[self.row + 1 :]
        elif numbers == "?7":
            self.wraps = verb == "h"
        else:
            raise AssertionError(f"This terminal does not know {numbers}{verb}")

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def _put(self, character: str) -> None:
        if self.column >= self.columns:
            if self.wraps:
                self._down()
                self.column = 0
            else:
                self.column = self.columns - 1
        line = self.lines[self.row]
        line += [" "] * (self.column + 1 - len(line))
        line[self.column] = character
        self.column += 1

    @property
    def shown(self) -> list[str]:
        """Everything, what has scrolled away included."""
        return ["".join(line).rstrip() for line in self.lines]


class Seen:
    """A command that runs in a terminal of its own."""

    def __init__(self, command: list[str], environ: dict[str, str], columns: int, rows: int) -> None:
        self.terminal = Terminal(columns, rows)
        self.master, slave = pty.openpty()
        self._resize(slave, columns, rows)
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNING, *command], stdin=slave, stdout=slave, stderr=slave, env=environ
        )
        os.close(slave)

    def resize(self, columns: int, rows: int) -> None:
        self.terminal.columns, self.terminal.rows = columns, rows
        self._resize(self.master, columns, rows)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, is_right: Callable[[list[str]], bool]) -> list[str]:
        """Look until it shows what is waited for."""
        deadline_s = time.monotonic() + LAST_S
        while not is_right(self.terminal.shown):
            assert time.monotonic() < deadline_s, "\n".join(self.terminal.shown)
            assert self._look(), "It ended before it showed that:\n" + "\n".join(self.terminal.shown)
        return self.terminal.shown

    def end(self) -> list[str]:
        while self._look():
            pass
        self.process.wait(LAST_S)
        return self.terminal.shown

    def _look(self) -> bool:
        """Whether there may be more."""
        readable, _, _ = select.select([self.master], [], [], LAST_S)
        assert readable, "Nothing happens any more:\n" + "\n".join(self.terminal.shown)
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.terminal.feed(data)
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    @staticmethod
    def _resize(fd: int, columns: int, rows: int) -> None:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def see(home: Path) -> Iterator[Callable[..., Seen]]:
    opened: list[Seen] = []

    def start(*words: str, columns: int = 80, rows: int = 24, **environ: str) -> Seen:
        known = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CLICOLOR_FORCE")}
        seen = Seen([str(DAGY), *words], {**known, "TERM": "xterm", "LANG": "C.UTF-8", **environ}, columns, rows)
        opened.append(seen)
        return seen

    yield start
    for seen in opened:
        seen.close()


@pytest.fixture
def gated(project: Callable[..., str]) -> str:
    return f"{project(GATED)}:gated"


def let_go(*numbers: int) -> None:
    for number in numbers:
        Path(f"go-{number}").touch()


def has(text: str) -> Callable[[list[str]], bool]:
    return lambda shown: any(text in line for line in shown)


def test_the_view_tells_what_is_done_running_and_waiting_and_leaves_the_printed_lines_and_a_summary(
    see: Any, gated: str
) -> None:
    seen = see("run", gated, "--max-workers", "2", "--no-fail-fast")

    shown = seen.until(lambda shown: has("0 of 4 done · 2 running")(shown) and has("first-2  ")(shown))
    below = shown[next(i for i, line in enumerate(shown) if "0 of 4" in line) :]
    assert re.fullmatch(r". gated  0 of 4 done · 2 running · 2 waiting  \d+s", below[0])
    assert [line.split()[0] for line in below[1:]] == ["first-1", "first-2"]

    let_go(0)
    seen.until(has("2 of 4 done · 1 running · 1 waiting"))
    let_go(1)
    ended = seen.end()

    assert sorted(line for line in ended if line.startswith(("first", "the line"))) == [
        "first 0 begins",
        "first 1 begins",
        "the line of first 0 has two halves",
        "the line of first 1 has two halves",
    ]
    told = [
        re.sub(r"\d\d:\d\d:\d\d|\d+\.\d\ds|\d+s$", "#", line)
        for line in ended
        if "second-2 " in line or " done" in line
    ]
    assert told == [
        "# RETRYING  second-2  again in 0 s: one is no number",
        "# FAILED    second-2  attempt 2  #  one is no number",
        "3 of 4 done · 1 failed  #",
    ]
    assert any(re.fullmatch(r"Run completed: gated-\S+ status=FAILED", line) for line in ended)
    assert seen.process.returncode == 8
    assert not has("running")(ended)


def test_what_is_printed_scrolls_away_whole_and_in_order(see: Any, project: Any) -> None:
    source = """
from dagy import flow, task
@task
def talk():
    for n in range(400):
        print("line", n, end="")
        print("." * (n % 100))
    print("half a line at the end", end="")
@flow
def talking():
    return talk()
"""
    shown = see("run", project(source), columns=300, rows=10).end()

    lines = [f"line {n}{'.' * (n % 100)}" for n in range(400)]
    assert shown[:400] == lines
    assert shown[400] == "half a line at the end"
    assert len(shown) <= 404


HALVES = """
import threading
from dagy import flow, task
both = threading.Barrier(2, timeout=30)
@task
def talk(n: int):
    both.wait()
    print(f"task {n} says this", end="")
    both.wait()
    print(" in one line")
    both.wait()
    print(f"and task {n} ends with this", end="")
@flow
def talking():
    return [talk(1), talk(2)]
"""


def test_the_lines_of_tasks_that_print_at_once_stay_whole(see: Any, project: Any) -> None:
    ended = see("run", project(HALVES), "--max-workers", "2").end()

    assert sorted(line for line in ended if "task" in line) == [
        "and task 1 ends with this",
        "and task 2 ends with this",
        "task 1 says this in one line",
        "task 2 says this in one line",
    ]


def test_their_lines_stay_whole_in_a_file_too(home: Path, project: Any) -> None:
    ended = subprocess.run(
        [str(DAGY), "run", project(HALVES), "--max-workers", "2"], capture_output=True, text=True, timeout=LAST_S
    )

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout + ended.stderr
    for n in (1, 2):
        assert f"task {n} says this in one line\n" in said
        assert f"and task {n} ends with this" in said


@pytest.mark.parametrize(
    "columns, rows, environ",
    [
        pytest.param(80, 24, {"TERM": "dumb"}, id="a dumb one"),
        pytest.param(80, 24, {"TERM": ""}, id="one that has no name"),
        pytest.param(0, 0, {}, id="one without a size"),
        pytest.param(3, 1, {}, id="a tiny one"),
        pytest.param(20, 2, {}, id="a narrow one"),
        pytest.param(80, 24, {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, id="one that knows only ASCII"),
    ],
)
def test_no_terminal_is_too_odd(see: Any, gated: str, columns: int, rows: int, environ: dict[str, str]) -> None:
    let_go(0)
    seen = see("run", gated, "--param", "n=1", "--json", columns=columns, rows=rows, **environ)
    seen.end()

    assert seen.process.returncode == 0
    assert b'"status": "SUCCEEDED"' in seen.terminal.bytes
    assert b"first 0 begins" in seen.terminal.bytes
    if environ.get("TERM", "xterm") != "xterm":
        assert b"\x1b" not in seen.terminal.bytes


def test_a_terminal_may_be_resized(see: Any, gated: str) -> None:
    seen = see("run", gated, "--max-workers", "2", "--param", "n=1")
    seen.until(has("first-1  "))
    for columns, rows in [(30, 8), (120, 40), (12, 3)]:
        seen.resize(columns, rows)
        before = len(seen.terminal.bytes)
        seen.until(lambda _, before=before: len(seen.terminal.bytes) > before + 100)
    seen.resize(80, 24)
    let_go(0)
    ended = seen.end()

    assert seen.process.returncode == 0
    assert ended[:2] == ["first 0 begins", "the line of first 0 has two halves"]
    assert not has("running")(ended)


def test_a_terminal_may_be_closed_and_the_run_goes_on(see: Any, project: Any, dagy: Any) -> None:
    silent = re.sub(r"    print\(.*\n", "", GATED)
    ignoring = ["/bin/bash", "-c", f"trap '' HUP; exec {DAGY} run {project(silent)}:gated --param n=1"]
    seen = Seen(ignoring, {**os.environ, "TERM": "xterm"}, 80, 24)
    seen.until(has("first-1  "))
    os.close(seen.master)
    let_go(0)
    seen.process.wait(LAST_S)

    assert dagy("runs", "list", "--json").json[0]["status"] == "SUCCEEDED"


def test_whoever_has_no_colours_has_the_rest(see: Any, gated: str) -> None:
    let_go(0)
    colored = see("run", gated, "--param", "n=1")
    plain = see("run", gated, "--param", "n=1", NO_COLOR="1")
    switched = see("run", gated, "--param", "n=1", "--no-color")

    assert has("2 of 2 done")(colored.end()) and colored.terminal.colors
    assert has("2 of 2 done")(plain.end()) and not plain.terminal.colors
    assert has("2 of 2 done")(switched.end()) and not switched.terminal.colors


def test_quiet_is_quiet(see: Any, gated: str) -> None:
    let_go(0)
    seen = see("run", gated, "--param", "n=1", "--quiet")
    ended = seen.end()

    assert len(ended) == 4  # two printed lines, the answer, and where the cursor is
    assert b"\x1b" not in seen.terminal.bytes


def test_a_task_may_ask_and_start_programs_and_fork(see: Any, project: Any) -> None:
    source = """
import os, subprocess
from dagy import flow, task
@task
def talk():
    name = input("Who are you? ")
    print(f"Hello {name}!")
    subprocess.run(["echo", "past us"])
    if os.fork() == 0:
        print("a child", flush=True)
        os._exit(0)
    os.wait()
    return name
@flow
def asking():
    return talk()
"""
    seen = see("run", project(source), "--json")
    seen.until(lambda shown: shown[-1].startswith("Who are you?"))
    seen.type("Ada\n")
    ended = seen.end()

    assert seen.process.returncode == 0
    assert "Who are you? Ada" in ended
    for said in ("Hello Ada!", "past us", "a child"):
        assert any(line.startswith(said) for line in ended), ended


def test_ctrl_c_ends_the_run_and_the_view(see: Any, gated: str) -> None:
    seen = see("run", gated, "--param", "n=1")
    seen.until(has("first-1  "))
    seen.type("\x03")
    ended = seen.end()

    assert seen.process.returncode == 130
    assert ended[-2] == "Error: Interrupted"
    assert any(re.fullmatch(r"0 of 2 done · 2 cancelled  \d+s", line) for line in ended)


def test_a_watched_run_of_a_stage_is_shown_the_same_way(see: Any, dagy: Any, stage: Any, project: Any) -> None:
    dagy("deploy", f"{project()}:etl")
    seen = see("run", "etl", "--watch")
    triggered = next(line for line in seen.until(has("Run triggered: etl-")) if line.startswith("Run triggered"))
    run_id = triggered.removeprefix("Run triggered: ")
    runs, now = stage.ports.runs, stage.ports.clock.now()
    runs.claim_run(run_id, owner="played", now=now, lease_s=60, hop=0)
    tasks = [TaskRun(run_id, f"extract-{n}", "extract", Status.PENDING, n) for n in range(3)]
    runs.put_tasks(run_id, tasks)
    runs.start_task(run_id, "extract-1", attempt=1, attempt_id="a", started_at=to_iso(now))

    shown = seen.until(has("  extract-1  "))
    assert has(" etl  0 of 3 done · 1 running · 2 waiting  ")(shown)

    outcome = TaskOutcome(Status.SUCCEEDED, 1, to_iso(now), duration_s=0.25)
    runs.finish_task(run_id, "extract-1", attempt_id="a", outcome=outcome)
    seen.until(has(" etl  1 of 3 done · 2 waiting  "))
    runs.finish_run(run_id, owner="played", status=Status.SUCCEEDED, ended_at=to_iso(now), problem=None, result=None)
    ended = seen.end()

    assert f"Run completed: {run_id} status=SUCCEEDED" in ended
    assert not has("waiting  ")(ended[-3:])


# --- elsewhere ----------------------------------------------------------------------------------------------


def lines_of(stderr: str) -> list[str]:
    return [re.sub(r"\d\d:\d\d:\d\d|\d+\.\d\ds", "#", line) for line in stderr.splitlines()]


def test_elsewhere_every_change_is_a_plain_line_on_stderr(dagy: Any, gated: str) -> None:
    let_go(0, 1)
    said = dagy("run", gated, "--no-fail-fast", expect=8)

    *told, error, hint = lines_of(said.stderr)
    assert told == [
        "# RUNNING   first-1",
        "# SUCCEEDED first-1  #",
        "# RUNNING   first-2",
        "# SUCCEEDED first-2  #",
        "# RUNNING   second-1",
        "# SUCCEEDED second-1  #",
        "# RUNNING   second-2",
        "# RETRYING  second-2  again in 0 s: one is no number",
        "# RUNNING   second-2  attempt 2",
        "# FAILED    second-2  attempt 2  #  one is no number",
    ]
    assert error.startswith("Error: Run gated-")
    assert hint.startswith("  → What it wrote: dagy logs")
    assert "first 0 begins" in said.stdout
    assert dagy("run", gated, "--param", "n=1", "--quiet").stderr == ""


def test_of_many_tasks_only_failures_are_lines(dagy: Any, project: Any) -> None:
    source = """
from dagy import flow, task
@task
def one(n: int):
    if n == 77:
        raise ValueError("seventy-seven")
    return n
@task
def all_of(numbers):
    return sum(numbers)
@flow
def many():
    return all_of([one(n) for n in range(200)])
"""
    told = lines_of(dagy("run", project(source), "--no-fail-fast", expect=8).stderr)

    assert told[0] == "# FAILED    one-78  #  seventy-seven"
    assert re.fullmatch(r"199 of 201 done · 1 failed · 1 skipped  \d+s", told[-3])
    assert len(told) <= 6


def test_colours_can_be_forced_where_nobody_sees_a_terminal(dagy: Any, gated: str, monkeypatch: Any) -> None:
    let_go(0)
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert "\x1b[32mSUCCEEDED" in dagy("run", gated, "--param", "n=1").stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in dagy("run", gated, "--param", "n=1").stderr


def test_a_resumed_run_counts_what_was_kept(see: Any, gated: str, dagy: Any, project: Any) -> None:
    let_go(0, 1)
    dagy("run", gated, expect=8)
    project(GATED.replace("if n == 1", "if n == 5"))

    ended = see("run", "--resume-last").end()

    assert any(re.fullmatch(r"4 of 4 done  \d+s", line) for line in ended)
