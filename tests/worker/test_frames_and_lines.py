"""The two streams out of a child, cut in any pieces, come out whole; what makes no sense is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import ArtifactSerializationError
from dagy.execution.recorder import Failure, Measured
from dagy.results import encode
from dagy_runtime.worker.frames import (
    MAX_FRAME_BYTES,
    FrameReader,
    FrameTooLarge,
    FromChild,
    Logged,
    Payload,
    Planned,
    PlannedTask,
    TaskFailed,
    TaskSucceeded,
    packed,
)
from dagy_runtime.worker.lines import LineReader
from dagy_runtime.worker.payloads import from_payload, to_payload
from dagy_runtime.worker.recorder import shortened
from dagy_runtime.worker.surroundings import child_environment

FRAMES = st.one_of(
    st.builds(Logged, st.none() | st.text(max_size=5), st.just("stdout"), st.text(max_size=20)),
    st.builds(
        TaskSucceeded,
        st.integers(1, 2**31),
        st.just("t-1"),
        st.just(1),
        st.builds(Payload, st.just("json"), st.just("00"), st.just(3), st.binary(max_size=9)),
        st.builds(Measured, st.just(0.1), st.just(0.2), st.just(3.0)),
    ),
    st.just(Planned(1, (PlannedTask("a-1", "a", ()), PlannedTask("b-1", "b", ("a-1",))))),
    st.just(TaskFailed("t-1", 2, Failure("ValueError", "no", "Traceback"), Measured(0.0, 0.0, 0.0))),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_cut_anywhere_come_out_whole(frames, places):
    reader = FrameReader(FromChild)
    pieces = cut(b"".join(packed(frame) for frame in frames), places)

    assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


@given(st.lists(st.text(alphabet="ab é😀", max_size=8), max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
def test_lines_cut_anywhere_come_out_whole(lines, places):
    reader = LineReader("stderr")
    data = "\n".join(lines).encode()

    heard = [line for piece in cut(data, places) for line in reader.feed(piece)] + reader.end()

    expected = "\n".join(lines).split("\n")
    assert [line.line for line in heard] == (expected if expected[-1] else expected[:-1])
    assert all(line.stream == "stderr" and line.task_run_id is None for line in heard)


def test_output_without_a_line_end_does_not_grow_in_memory():
    reader = LineReader("stdout")

    lines = [line for _ in range(10) for line in reader.feed(b"x" * 40_000)] + reader.end()

    assert sum(len(line.line) for line in lines) == 400_000
    assert max(len(line.line) for line in lines) <= 64 * 1024


def test_bytes_that_are_no_text_are_shown_as_such():
    assert [line.line for line in LineReader("stdout").feed(b"\xff\xfe\r\n")] == ["\ufffd\ufffd"]


@pytest.mark.parametrize(
    "data, error",
    [
        pytest.param((MAX_FRAME_BYTES + 1).to_bytes(4, "big"), FrameTooLarge, id="longer than any frame"),
        pytest.param(b"\x00\x00\x00\x02\x91\xa1", msgspec.DecodeError, id="no MessagePack"),
        pytest.param(b"\x00\x00\x00\x01\x05", msgspec.DecodeError, id="no message"),
        pytest.param(packed(Logged(None, "x", "y")).replace(b"Logged", b"Evil!!"), msgspec.DecodeError, id="unknown"),
    ],
)
def test_what_is_no_frame_is_refused(data, error):
    with pytest.raises(error):
        FrameReader(FromChild).feed(data)


def test_a_frame_above_the_limit_is_not_sent():
    with pytest.raises(FrameTooLarge):
        packed(Logged(None, "stdout", "x" * (MAX_FRAME_BYTES + 1)))


@pytest.mark.parametrize("size", [0, 10, 2**20 - 2, 2**20, 2**20 + 1])
def test_a_payload_is_what_was_sent_inline_or_as_a_file(size, tmp_path):
    encoded = encode("x" * size)

    assert from_payload(to_payload(encoded, folder=tmp_path)) == encoded
    assert list(tmp_path.iterdir()) == []


def test_a_payload_that_was_changed_on_the_way_is_refused(tmp_path):
    payload = to_payload(encode("x" * 2**20), folder=tmp_path)
    Path(payload.path or "").write_bytes(b"something else")

    with pytest.raises(ArtifactSerializationError):
        from_payload(payload)


def test_a_result_that_finds_no_room_on_disk_fails_its_task(tmp_path):
    with pytest.raises(ArtifactSerializationError, match="no room"):
        to_payload(encode("x" * 2**20), folder=tmp_path / "missing")


def test_a_failure_fits_into_an_item_and_keeps_the_end_of_its_traceback(tmp_path):
    failure = shortened(Failure("ValueError", "m" * 100_000, "t" * 1_000_000 + "the cause"), tmp_path)

    assert len(failure.message) < 17_000
    assert len(failure.traceback) < 66_000 and failure.traceback.endswith("the cause")


def test_a_childs_environment_has_credentials_and_nothing_of_the_platforms(tmp_path):
    environ = {
        "PATH": "/bin",
        "AWS_SESSION_TOKEN": "token",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "DAGY_STAGE": "dev",
        "DAGY_TABLE": "table",
    }

    assert child_environment(environ, run_id="r-1", temp_dir=tmp_path) == {
        "PATH": "/bin",
        "AWS_SESSION_TOKEN": "token",
        "DAGY_STAGE": "dev",
        "DAGY_RUN_ID": "r-1",
        "TMPDIR": str(tmp_path),
    }
