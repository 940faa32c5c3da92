"""A run's log: JSON lines in chunks, written while it runs, read with a cursor that stays good while more comes.

Chunks are `runs/<run id>/logs/<hop>-<invocation>-<number>.jsonl`; in the order of their names they are the log. The
invocation's id is part of the name, so that a redelivered message's invocation never overwrites another's chunk.
"""

from __future__ import annotations

import base64
import binascii
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from dagy.core.errors import InvalidInput, Unavailable
from dagy.core.timestamps import to_iso
from dagy_runtime.ports import Blobs, Clock, Ports
from dagy_runtime.values import Run

CHUNK_BYTES: Final = 256 * 1024
FLUSH_S: Final = 2.0
LIMIT_BYTES: Final = 10 * 1024 * 1024  # per run and invocation
LINE_BYTES: Final = 64 * 1024
PAGE_BYTES: Final = 4 * 1024 * 1024
"""Of lines in one page. A function's whole answer may have 6 MiB."""
_CHUNKS_PER_READ: Final = 64
_LONGEST_CHUNK_NAME: Final = 200
_TRIES: Final = 3
_LOG: Final = logging.getLogger("dagy.engine.logs")


class LogEntry(msgspec.Struct, frozen=True):
    """One line. `at` is when the invocation received it; no task means the run itself."""

    at: str
    task_run_id: str | None
    stream: str
    line: str


class LogPage(Struct, frozen=True):
    """`cursor` is always set: pass it as `after` for what comes next. `is_complete`: the run is final, and this was
    the last of its log.
    """

    lines: tuple[LogEntry, ...]
    cursor: str
    is_complete: bool


def to_stdout(line: str) -> None:
    """The console of a function."""
    sys.stdout.write(line + "\n")


class LogWriter:
    """One invocation's part of a run's log. Not thread-safe.

    Every line also goes to `console` as one JSON object with the run's id, for CloudWatch.
    """

    def __init__(
        self,
        blobs: Blobs,
        clock: Clock,
        *,
        run_id: str,
        hop: int,
        invocation: str,
        console: Callable[[str], object],
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._blobs, self._clock, self._console = blobs, clock, console
        self._run_id = run_id
        self._prefix = f"{_folder(run_id)}{hop:04d}-{invocation}-"
        self._limit_bytes = limit_bytes
        self._chunk = bytearray()
        self._flush_at_bytes = CHUNK_BYTES
        self._number = 0
        self._taken_bytes = 0
        self._dropped_lines = self._dropped_bytes = 0

    def add(self, task_run_id: str | None, stream: str, line: str) -> None:
        """Take one line; cut at 64 KiB. Once the limit is reached, lines are only counted."""
        if len(line) > LINE_BYTES:
            line = f"{line[:LINE_BYTES]}… ({len(line) - LINE_BYTES} more characters)"
        if self._dropped_lines or self._taken_bytes + len(line) > self._limit_bytes:
            self._dropped_lines += 1
            self._dropped_bytes += len(line)
            return
        self._take(task_run_id, stream, line)

    def note(self, task_run_id: str | None, line: str) -> None:
        """A line of the engine's own, which is kept however long the log is."""
        self._take(task_run_id, "ERROR", line)

    def flush(self) -> None:
        """Make what was taken readable. Raises: Unavailable, after several tries; it waits for the next flush then."""
        for _ in range(_TRIES - 1):
            with suppress(Unavailable):
                self._write()
                return
        self._write()

    def try_flush(self) -> None:
        """As `flush`, once; a bucket that does not answer is no reason to stop. What waits is bounded by the limit."""
        try:
            self._write()
        except Unavailable as error:
            self._flush_at_bytes = len(self._chunk) + CHUNK_BYTES
            _LOG.warning("log_not_flushed run_id=%s bytes=%d reason=%s", self._run_id, len(self._chunk), error)

    def close(self) -> None:
        """Say what was dropped, and flush. Raises: Unavailable."""
        if self._dropped_lines:
            self.note(
                None,
                f"{self._dropped_lines:,} more lines ({self._dropped_bytes:,} characters) were dropped: a run's log "
                f"keeps {self._limit_bytes:,} bytes per invocation",
            )
            self._dropped_lines = self._dropped_bytes = 0
        self.flush()

    def _take(self, task_run_id: str | None, stream: str, line: str) -> None:
        entry = LogEntry(to_iso(self._clock.now()), task_run_id, stream, line)
        encoded = msgspec.json.encode(entry)
        self._taken_bytes += len(encoded)
        self._chunk += encoded
        self._chunk += b"\n"
        self._console(msgspec.json.encode({"run_id": self._run_id, **msgspec.to_builtins(entry)}).decode())
        if len(self._chunk) >= self._flush_at_bytes:
            self.try_flush()

    def _write(self) -> None:
        if self._chunk:
            self._blobs.put(f"{self._prefix}{self._number:06d}.jsonl", bytes(self._chunk), content_type=_CONTENT_TYPE)
            self._number += 1
            self._chunk = bytearray()
            self._flush_at_bytes = CHUNK_BYTES


def read_logs(ports: Ports, run: Run, *, after: str | None, task_run_id: str | None, limit: int) -> LogPage:
    """Up to `limit` lines that come after the cursor. Read the run before calling this: what it says about being final
    decides `is_complete`, and a final run's log is whole.

    A page may have fewer lines than `limit`, even none, and more may follow; only `is_complete` says that it is over.
    It ends before it is too large for one answer, but every page gets further: a line that alone is too large is one.

    Raises: InvalidInput for a cursor that this log did not give.
    """
    chunk, offset = _parse_cursor(after)
    lines: list[LogEntry] = []
    page_bytes = 0
    decode = msgspec.json.Decoder(LogEntry).decode
    keys = _chunks_from(ports.blobs, run.id, chunk)
    for key in keys:
        name = key.rpartition("/")[2]
        entries = ports.blobs.get(key).splitlines()
        start = offset if name == chunk else 0
        for position in range(start, len(entries)):
            entry = decode(entries[position])
            if task_run_id is not None and entry.task_run_id != task_run_id:
                continue
            page_bytes += _answer_bytes(entries[position])
            if len(lines) == limit or (lines and page_bytes > PAGE_BYTES):
                return LogPage(tuple(lines), _cursor(name, position), is_complete=False)
            lines.append(entry)
        chunk, offset = name, len(entries)
    is_complete = run.status.is_final and len(keys) < _CHUNKS_PER_READ
    return LogPage(tuple(lines), _cursor(chunk, offset), is_complete)


_CONTENT_TYPE: Final = "application/x-ndjson"


def _answer_bytes(line: bytes) -> int:
    """What a line takes in a function's answer, where JSON is text within JSON."""
    return len(line) + line.count(b'"') + line.count(b"\\")


def _folder(run_id: str) -> str:
    return f"runs/{run_id}/logs/"


def _chunks_from(blobs: Blobs, run_id: str, chunk: str) -> list[str]:
    """The cursor's chunk and what follows. Chunks never change, but one may have been read in part."""
    folder = _folder(run_id)
    following = blobs.list_keys(folder, after=f"{folder}{chunk}" if chunk else None, limit=_CHUNKS_PER_READ)
    return [f"{folder}{chunk}", *following][:_CHUNKS_PER_READ] if chunk else following


def _cursor(chunk: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{chunk}:{offset}".encode()).decode().rstrip("=")


def _parse_cursor(cursor: str | None) -> tuple[str, int]:
    if not cursor:
        return "", 0
    try:
        chunk, _, offset = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().rpartition(":")
        if "/" in chunk or len(chunk) > _LONGEST_CHUNK_NAME or int(offset) < 0:
            raise ValueError(cursor)
        return chunk, int(offset)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidInput(f"Not a cursor of this log: {cursor!r}", "Leave it out to read from the start.") from None
