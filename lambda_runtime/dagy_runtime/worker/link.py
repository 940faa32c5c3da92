"""The child's end of the pipe: threads send, and wait for answers; one thread listens."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from dagy.execution.recorder import Control
from dagy_runtime.worker.frames import (
    Accepted,
    Cancel,
    Drain,
    Frame,
    FrameReader,
    FromChild,
    Refused,
    Reply,
    ResultGiven,
    ToChild,
    packed,
)

_CHUNK_BYTES: Final = 256 * 1024


class Link:
    """Thread-safe. When the parent is gone, so is this process, with everything it started: nobody would ever know
    what it did.
    """

    def __init__(self, channel: socket.socket, control: Control) -> None:
        self._channel, self._control = channel, control
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, SimpleQueue[Reply]] = {}
        threading.Thread(target=self._listen, name="dagy-link", daemon=True).start()

    def send(self, frame: FromChild) -> None:
        """Blocks while the parent is behind. Raises: FrameTooLarge; nothing was sent then."""
        data = packed(frame)
        with self._sending:
            try:
                self._channel.sendall(data)
            except OSError:
                vanish()

    def ask(self, question: Callable[[int], FromChild]) -> Reply:
        """Send the frame that `question` makes of a number, and wait for the reply with that number."""
        number = next(self._numbers)
        replies = self._waiting.setdefault(number, SimpleQueue())
        try:
            self.send(question(number))
            return replies.get()
        finally:
            del self._waiting[number]

    def _listen(self) -> None:
        reader = FrameReader(ToChild)
        try:
            while data := self._channel.recv(_CHUNK_BYTES):
                for frame in reader.feed(data):
                    self._take(frame)
        finally:
            vanish()

    def _take(self, frame: Frame) -> None:
        match frame:
            case Drain():
                self._control.drain()
            case Cancel(reason=reason):
                self._control.cancel(reason)
            case Accepted() | Refused() | ResultGiven():
                self._waiting[frame.number].put(frame)


def vanish() -> None:
    """End this process and all of its group, at once."""
    os.killpg(0, signal.SIGKILL)
