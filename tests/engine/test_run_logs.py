"""A run's log: bounded, readable while it grows, never with a line lost or doubled."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dagy.core.errors import InvalidInput
from dagy.core.sizes import Isolation, Size
from dagy.core.states import Status
from dagy_runtime.adapters import memory
from dagy_runtime.engine.logs import PAGE_BYTES, LogEntry, LogWriter, read_logs
from dagy_runtime.values import ArtifactRef, Run, Trigger


def a_run(status: Status = Status.SUCCEEDED) -> Run:
    return Run(
        id="logged",
        flow_name="logged",
        flow_version="latest",
        artifact=ArtifactRef("bucket", "key", "0" * 64),
        size=Size.NANO,
        isolation=Isolation.IN_PROCESS,
        parameters={},
        trigger=Trigger.MANUAL,
        created_at="2026-03-04T12:00:00.000Z",
        status=status,
    )


def a_writer(ports, *, invocation="01A", hop=0, limit_bytes=10 * 2**20):
    return LogWriter(
        ports.blobs,
        ports.clock,
        run_id="logged",
        hop=hop,
        invocation=invocation,
        console=lambda line: None,
        limit_bytes=limit_bytes,
    )


def read_all(ports, run, *, limit, task_run_id=None):
    lines, cursor = [], None
    while True:
        page = read_logs(ports, run, after=cursor, task_run_id=task_run_id, limit=limit)
        lines += [entry.line for entry in page.lines]
        cursor = page.cursor
        if page.is_complete:
            return lines


@settings(max_examples=60, deadline=None)
@given(
    chunks=st.lists(st.lists(st.text(alphabet="aé\n😀 ", max_size=6), max_size=5), max_size=6),
    limit=st.integers(1, 7),
)
def test_pages_of_any_size_give_every_line_once_and_in_order(chunks, limit):
    ports = memory.world()
    writer = a_writer(ports)
    for chunk in chunks:
        for line in chunk:
            writer.add("task-1", "stdout", line)
        writer.flush()
    writer.close()

    assert read_all(ports, a_run(), limit=limit) == [line for chunk in chunks for line in chunk]


def test_a_follower_gets_what_comes_later_from_its_cursor_on():
    ports = memory.world()
    running, writer = a_run(Status.RUNNING), a_writer(ports)
    writer.add(None, "stdout", "one")
    writer.flush()
    first = read_logs(ports, running, after=None, task_run_id=None, limit=10)
    nothing = read_logs(ports, running, after=first.cursor, task_run_id=None, limit=10)
    writer.add(None, "stdout", "two")
    writer.close()
    last = read_logs(ports, a_run(), after=nothing.cursor, task_run_id=None, limit=10)

    assert [entry.line for entry in first.lines] == ["one"]
    assert (nothing.lines, nothing.is_complete) == ((), False)
    assert [entry.line for entry in last.lines] == ["two"]
    assert last.is_complete


def test_several_invocations_make_one_log_even_with_the_same_hop():
    ports = memory.world()
    for hop, invocation in [(0, "01A"), (0, "01B"), (1, "01C")]:
        writer = a_writer(ports, hop=hop, invocation=invocation)
        writer.add(None, "stdout", f"{hop} {invocation}")
        writer.close()

    assert read_all(ports, a_run(), limit=100) == ["0 01A", "0 01B", "1 01C"]


def test_a_log_of_many_chunks_is_read_to_its_end():
    ports = memory.world()
    writer = a_writer(ports)
    for number in range(200):
        writer.add("a-1" if number % 2 else "b-1", "stdout", str(number))
        writer.flush()

    assert read_all(ports, a_run(), limit=1000) == [str(number) for number in range(200)]
    assert read_all(ports, a_run(), limit=7, task_run_id="a-1") == [str(number) for number in range(1, 200, 2)]


def test_a_flood_is_cut_and_says_how_much_was_dropped():
    ports = memory.world()
    writer = a_writer(ports, limit_bytes=10_000)
    for number in range(1000):
        writer.add("noisy-1", "stdout", f"line {number}")
    writer.close()

    lines = read_all(ports, a_run(), limit=10_000)
    kept = len(lines) - 1
    assert lines[:kept] == [f"line {number}" for number in range(kept)]
    assert lines[-1].startswith(f"{1000 - kept:,} more lines (")
    assert sum(len(ports.blobs.get(key)) for key in ports.blobs.list_keys("runs/logged/")) < 12_000


@pytest.mark.parametrize("character", ["x", '"', "\\", "é", "\x00", "😀"])
def test_a_page_fits_into_a_functions_answer_whatever_the_limit_and_every_page_gets_further(character):
    ports = memory.world()
    writer = a_writer(ports, limit_bytes=40 * 2**20)
    lines = [f"{number:04d}" + character * 60_000 for number in range(100)]
    for line in lines:
        writer.add("chatty-1", "stdout", line)
    writer.close()

    read, cursors = [], [None]
    while True:
        page = read_logs(ports, a_run(), after=cursors[-1], task_run_id="chatty-1", limit=100_000)
        read += [entry.line for entry in page.lines]
        answer = {"statusCode": 200, "body": msgspec.json.encode([*page.lines, page.cursor]).decode()}
        assert len(msgspec.json.encode(answer)) <= 5 * 2**20
        assert page.lines
        assert page.cursor not in cursors
        cursors.append(page.cursor)
        if page.is_complete:
            break
    assert read == lines


def test_a_line_that_alone_is_more_than_a_page_is_one():
    ports = memory.world()
    huge = LogEntry("2026-03-04T12:00:00.000Z", None, "stdout", "x" * (2 * PAGE_BYTES))
    chunk = b"".join(msgspec.json.encode(entry) + b"\n" for entry in [huge, replace(huge, line="small"), huge])
    ports.blobs.put("runs/logged/logs/0000-01A-000000.jsonl", chunk)

    assert [len(line) for line in read_all(ports, a_run(), limit=100)] == [2 * PAGE_BYTES, 5, 2 * PAGE_BYTES]


def test_a_very_long_line_is_cut_and_says_so():
    ports = memory.world()
    writer = a_writer(ports)
    writer.add(None, "stdout", "x" * 100_000)
    writer.close()

    (line,) = read_all(ports, a_run(), limit=10)
    assert line.endswith("(34464 more characters)")


@pytest.mark.parametrize("cursor", ["?", "bm8gY29sb24", "Li4vLi4vc2VjcmV0OjA", "YTotMQ"])
def test_a_cursor_that_this_log_did_not_give_is_refused(cursor):
    with pytest.raises(InvalidInput):
        read_logs(memory.world(), a_run(), after=cursor, task_run_id=None, limit=10)


def test_a_hundred_thousand_lines_arrive_from_a_real_task(stage):
    run = stage.run_to_end("""
        from dagy import flow, task

        @task
        def chatter() -> int:
            for number in range(100_000):
                print(f"line {number}")
            return 1

        @flow
        def chatty():
            return chatter()
    """)

    lines = stage.log(run.id, "chatter-1")
    assert run.status is Status.SUCCEEDED
    assert lines == [f"line {number}" for number in range(100_000)]
