"""Bytes that a process wrote to its output, as lines for its log."""

from __future__ import annotations

from typing import Final

from dagy_runtime.worker.frames import Logged

_MAX_BYTES: Final = 64 * 1024


class LineReader:
    """Bytes in, in any pieces; lines out. A line above 64 KiB comes in several."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Logged]:
        self._buffer += data
        *whole, rest = self._buffer.split(b"\n")
        while len(rest) > _MAX_BYTES:
            whole.append(rest[:_MAX_BYTES])
            rest = rest[_MAX_BYTES:]
        self._buffer = rest
        return [self._line(line) for line in whole]

    def end(self) -> list[Logged]:
        """A last line without its end, if there is one."""
        rest, self._buffer = self._buffer, bytearray()
        return [self._line(rest)] if rest else []

    def _line(self, data: bytearray) -> Logged:
        return Logged(None, self._stream, data.rstrip(b"\r").decode("utf-8", "replace"))
