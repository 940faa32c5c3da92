"""What tasks print and log is told apart, and nothing of it is lost or left behind."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import sys
import threading

import pytest

from dagy import flow, task
from dagy.execution.recorder import Failed


def test_output_goes_to_the_task_that_made_it(run):
    together = threading.Barrier(2)

    @task
    def speaks(name: str) -> None:
        for step in range(3):
            print(name, step)
            together.wait(10)
        print(name, "error", file=sys.stderr)
        logging.getLogger("author").info("%s logs", name)

    @flow
    def two():
        speaks("a")
        speaks("b")

    ran = run(two, max_workers=2)
    for id, name in (("speaks-1", "a"), ("speaks-2", "b")):
        assert [(stream, line) for task, stream, line in ran.notes.lines if task == id] == [
            *(("stdout", f"{name} {step}") for step in range(3)),
            ("stderr", f"{name} error"),
            ("INFO", f"author: {name} logs"),
        ]


def test_a_line_without_its_end_is_kept(run):
    @task
    def speaks() -> None:
        print("one", end="")
        print(" line\nand", end="")
        sys.stdout.writelines([" a", " half"])
        raise ValueError("cut")

    @flow
    def cut():
        speaks()

    ran = run(cut)
    assert isinstance(ran.outcome, Failed)
    lines = [line for _, stream, line in ran.notes.lines if stream == "stdout"]
    assert lines == ["one line", "and a half"]


def test_threads_with_the_tasks_context_write_to_its_log_and_others_to_the_runs(run):
    @task
    def speaks() -> None:
        context = contextvars.copy_context()
        for thread in (
            threading.Thread(target=context.run, args=(print, "mine")),
            threading.Thread(target=print, args=("stray",), context=contextvars.Context())
            if sys.version_info >= (3, 14)
            else threading.Thread(target=print, args=("stray",)),
        ):
            thread.start()
            thread.join(10)

    @task
    async def awaits() -> None:
        await asyncio.to_thread(print, "to_thread")

    @flow
    def threads():
        speaks()
        awaits()

    ran = run(threads)
    assert ran.notes.log_of("speaks-1") == ["mine"]
    assert ran.notes.log_of("awaits-1") == ["to_thread"]
    assert ran.notes.log_of(None) == ["stray"]


def test_hooks_of_the_flow_write_to_the_runs_log(run):
    @flow(on_running=[lambda context, state: print("begins")])
    def spoken():
        return 1

    assert run(spoken).notes.log_of(None) == ["begins"]


@pytest.mark.parametrize("fails", [False, True])
def test_streams_and_logging_are_as_before_afterwards(run, fails):
    @task
    def speaks() -> None:
        print("words")
        if fails:
            raise ValueError("no")

    @flow
    def spoken():
        speaks()

    root = logging.getLogger()
    before = (sys.stdout, sys.stderr, list(root.handlers), root.level)
    run(spoken)
    assert (sys.stdout, sys.stderr, list(root.handlers), root.level) == before


def test_streams_are_as_before_when_the_recorder_breaks(run, notes):
    @task
    def works() -> int:
        return 1

    @flow
    def spoken():
        works()

    def broken(id: str) -> None:
        raise OSError("disk full")

    notes.on_started = broken
    before = (sys.stdout, sys.stderr)
    with pytest.raises(OSError, match="disk full"):
        run(spoken)
    assert (sys.stdout, sys.stderr) == before


def test_two_runs_at_once_do_not_mix(make_notes):
    from dagy.execution.recorder import RunOptions
    from dagy.execution.runner import run_flow

    together = threading.Barrier(2)

    @task
    def speaks(name: str) -> None:
        together.wait(10)
        print(name)
        together.wait(10)

    @flow
    def spoken(name: str):
        speaks(name)

    before = sys.stdout
    notes = {name: make_notes() for name in ("first", "second")}
    threads = [
        threading.Thread(target=run_flow, args=(spoken.trace(name), notes[name]), kwargs={"options": RunOptions()})
        for name in notes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {name: each.log_of("speaks-1") for name, each in notes.items()} == {
        "first": ["first"],
        "second": ["second"],
    }
    assert sys.stdout is before


def test_without_echo_nothing_is_shown_and_with_it_everything_is(run, monkeypatch):
    @task
    def speaks() -> None:
        print("words")
        logging.getLogger("author").warning("careful")
        logging.getLogger("author").info("by the way")

    @flow
    def spoken():
        speaks()

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    for echo, out, err in ((False, "", ""), (True, "words\n", "author: careful\n")):
        stdout, stderr = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        run(spoken, echo=echo)
        assert (stdout.getvalue(), stderr.getvalue()) == (out, err)


def test_a_configured_level_is_respected(run):
    root = logging.getLogger()
    handler = logging.NullHandler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.ERROR)

    @task
    def speaks() -> None:
        logging.getLogger("author").warning("quiet")
        logging.getLogger("author").error("loud")

    @flow
    def spoken():
        speaks()

    try:
        ran = run(spoken)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert ran.notes.log_of("speaks-1") == ["author: loud"]


def test_other_handlers_show_no_more_than_without_us(run):
    root = logging.getLogger()
    shown: list[str] = []

    class Shows(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    handler = Shows()
    root.addHandler(handler)

    @task
    def speaks() -> None:
        logging.getLogger("author").info("by the way")
        logging.getLogger("author").warning("careful")

    @flow
    def spoken():
        speaks()

    try:
        ran = run(spoken)
    finally:
        root.removeHandler(handler)
    assert shown == ["careful"]
    assert ran.notes.log_of("speaks-1") == ["author: by the way", "author: careful"]
    assert handler.filters == []
