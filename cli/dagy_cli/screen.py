"""The last lines of a terminal, redrawn in place. What is written meanwhile scrolls away above them, unharmed.

Between two drawings the cursor stands in the line above these, which is free, or has what was printed without an end.
So whatever writes to the terminal past us (a subprocess, a shell after Ctrl+Z) may be written over a line of ours, and
never loses one of its own; and a terminal that is resized, and wraps its lines anew, leaves nothing to be counted.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

EVERY_S: Final = 0.1
SOONEST_S: Final = 0.03  # between two drawings, however much is written
_UNFINISHED: Final = 2  # lines shown without an end, one of which stands where the cursor does
_ERASE: Final = "\r\x1b[J"
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f]")

Content = Callable[[int, int], "list[str]"]
"""The lines to show, for a width and a height."""


class Screen:
    """Thread-safe. `terminal` is where it draws. Nothing that the terminal does ever raises: it just draws no more."""

    def __init__(self, terminal: TextIO, content: Content, *, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._content = content
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may print while its thread writes
        self._is_on = False
        self._is_drawn = False
        self._drawn_at_s = 0.0
        self._held: dict[tuple[TextIO, int], list[str]] = {}  # lines without an end yet, by stream and thread
        self._closed = threading.Event()
        _open_screens.add(self)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the block ends; then nothing is left of it."""
        self._is_on = True
        thread = threading.Thread(target=self._keep_drawing, name="dagy-screen", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._closed.set()
            self._stop(end="\n")
            thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Somebody is asked something: the terminal is theirs."""
        was_on = self._is_on
        self._stop()
        try:
            yield
        finally:
            self._is_on = was_on and not self._closed.is_set()

    def write(self, stream: TextIO, text: str) -> None:
        """Raises what `stream` raises."""
        with self._lock:
            if not self._is_on:
                stream.write(text)
                return
            whole, newline, rest = text.rpartition("\n")
            line = stream, threading.get_ident()
            if newline:
                self._erase()
                stream.write("".join([*self._held.pop(line, []), whole, newline]))
                stream.flush()
            if rest:
                self._held.setdefault(line, []).append(rest)
            if newline and self._clock() - self._drawn_at_s > SOONEST_S:
                self._draw()

    def forget_in_child(self) -> None:
        """In a forked child the drawing thread is not there, and the lock may be held by it for ever."""
        self._lock = threading.RLock()
        self._is_on = False
        self._held.clear()  # the parent writes them

    def _keep_drawing(self) -> None:
        while not self._closed.wait(SOONEST_S):
            with self._lock:
                if self._is_on and (not self._is_drawn or self._clock() - self._drawn_at_s >= EVERY_S):
                    self._draw()

    def _stop(self, end: str = "") -> None:
        """`end` is written after what has none."""
        with self._lock:
            self._erase()
            self._is_on = False
            for (stream, _), held in self._held.items():
                with suppress(OSError, ValueError):
                    stream.write("".join([*held, end]))
                    stream.flush()
            self._held.clear()

    def _draw(self) -> None:
        if not _is_in_foreground(self._terminal):
            return
        columns, rows = _size_of(self._terminal)
        content = self._content(columns, max(1, rows - _UNFINISHED))
        if not content:
            return
        lines = [*(self._unfinished(columns) or [""]), *content]
        up = f"\x1b[{len(lines) - 1}A"
        # Without wrapping, a line that is too long is cut by the terminal, which knows its own width best.
        self._put("\x1b[?7l\r" + "\x1b[K\n".join(lines) + f"\x1b[K\x1b[J{up}\r\x1b[?7h")
        self._is_drawn, self._drawn_at_s = True, self._clock()

    def _unfinished(self, columns: int) -> list[str]:
        """As a terminal would show them: what follows the last carriage return. Of long ones, the end; of many, two."""
        texts = ("".join(held) for held in self._held.values())
        shown = (_ESCAPES.sub("", text.rstrip("\r").rpartition("\r")[2]) for text in texts)
        return [text[-max(1, columns - 1) :] for text in shown if text][-_UNFINISHED:]

    def _erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._put(_ERASE)

    def _put(self, text: str) -> None:
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except (OSError, ValueError):  # it was closed
            self._is_on = False


class _Stream:
    """Stands in for a stream of the terminal. Whatever is not writing is the original's business."""

    def __init__(self, original: TextIO, screen: Screen) -> None:
        self._original = original
        self._screen = screen

    def write(self, text: str) -> int:
        self._screen.write(self._original, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


@contextmanager
def sharing_the_terminal(screen: Screen) -> Iterator[None]:
    """Until the block ends, what is printed to the terminal, and asked on it, goes past the screen."""
    before = sys.stdout, sys.stderr, builtins.input
    sys.stdout, sys.stderr = (_Stream(stream, screen) if _is_terminal(stream) else stream for stream in before[:2])

    def ask(prompt: object = "", /) -> str:
        with screen.paused():
            return before[2](prompt)

    builtins.input = ask
    try:
        yield
    finally:
        sys.stdout, sys.stderr, builtins.input = before


def can_be_drawn_on(stream: TextIO | None) -> bool:
    return stream is not None and _is_terminal(stream) and os.environ.get("TERM") not in (None, "", "dumb")


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _is_in_foreground(terminal: TextIO) -> bool:
    """A job in the background leaves the terminal to those in front."""
    try:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # not the terminal that controls us: nobody else's either
        return True


def _size_of(terminal: TextIO) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(terminal.fileno())
    except (OSError, ValueError):
        return 80, 24
    return columns or 80, rows or 24


_open_screens: Final[weakref.WeakSet[Screen]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for screen in list(_open_screens):
        screen.forget_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
