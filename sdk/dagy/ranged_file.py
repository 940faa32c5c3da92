"""A large object far away, read as a file of which only what is asked for is fetched."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an object that begin at `start`. `size` is that of the whole object."""

    data: bytes
    start: int
    size: int


class RangedFile(io.RawIOBase):
    """An object that is read as a file: its end is fetched at once, the rest when it is asked for. `fetch` takes what
    the HTTP header `Range` takes.
    """

    def __init__(self, fetch: Callable[[str], Piece]) -> None:
        super().__init__()
        self._fetch = fetch
        self._piece = fetch(f"bytes=-{PIECE_BYTES}")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._piece.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        end = min(self._at + len(buffer), self._piece.size)
        if self._at >= end:
            return 0
        piece = self._piece
        if not piece.start <= self._at < end <= piece.start + len(piece.data):
            last = min(max(end, self._at + PIECE_BYTES), piece.size) - 1
            piece = self._piece = self._fetch(f"bytes={self._at}-{last}")
        data = piece.data[self._at - piece.start : end - piece.start]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
