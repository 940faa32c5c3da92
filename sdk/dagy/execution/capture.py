"""What tasks print and log becomes lines of their log, told apart by context variable.

`sys.stdout` and `sys.stderr` are replaced while at least one run captures, and put back when the last one ends.
Writing through `sys.stdout.buffer` or the file descriptors goes past this, as does a subprocess that inherits
them. Threads started with a copy of the task's context (`asyncio.to_thread` does so) write to the task's log; what
comes from other threads goes to the log of the run that began last.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO

Emit = Callable[["str | None", str, str], None]
"""`Recorder.log`: task run id or None, stream, line without its end."""

_MAX_PARTIAL: Final = 64 * 1024  # characters after which a line that does not end is cut


class Sink:
    """Where one attempt's output goes, or a run's own. Text is held back until its line ends, or `close`."""

    __slots__ = ("_echo", "_emit", "_is_closed", "_lock", "_partial", "_task_run_id")

    def __init__(self, emit: Emit, task_run_id: str | None, *, echo: bool) -> None:
        self._emit = emit
        self._echo = echo
        self._task_run_id = task_run_id
        self._partial: dict[tuple[str, TextIO | None], str] = {}
        self._lock = threading.RLock()  # what receives the lines may log, too
        self._is_closed = False

    def write(self, stream: str, text: str, original: TextIO | None) -> None:
        with self._lock:
            if self._is_closed:
                self._echo_text(text, original)
                return
            *lines, rest = (self._partial.get((stream, original), "") + text).split("\n")
            if len(rest) > _MAX_PARTIAL:
                lines, rest = [*lines, rest], ""
            self._partial[stream, original] = rest
            if original is not None and original.isatty():
                self._echo_text(text, original)  # somebody may watch a line grow
            elif lines:
                self._echo_text("\n".join([*lines, ""]), original)  # which nobody else's text can cut in two
            for line in lines:
                self._emit(self._task_run_id, stream, line)

    def line(self, stream: str, text: str) -> None:
        """One finished message, which may be several lines."""
        with self._lock:
            if not self._is_closed:
                for line in text.split("\n"):
                    self._emit(self._task_run_id, stream, line)

    def echo_line(self, text: str, original: TextIO) -> None:
        self._echo_text(text + "\n", original)

    def close(self) -> None:
        """Emit what was held back. What comes later is dropped: the attempt is over, and its log with it."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            for (stream, original), rest in self._partial.items():
                if rest:
                    if original is not None and not original.isatty():
                        self._echo_text(rest, original)
                    self._emit(self._task_run_id, stream, rest)

    def _echo_text(self, text: str, original: TextIO | None) -> None:
        if self._echo and original is not None:
            original.write(text)


_current: ContextVar[Sink | None] = ContextVar("dagy_log_sink", default=None)


@contextmanager
def writing_to(sink: Sink) -> Iterator[None]:
    """What this context prints and logs goes to `sink`."""
    token = _current.set(sink)
    try:
        yield
    finally:
        _current.reset(token)


class _Stream:
    """Stands in for `sys.stdout` or `sys.stderr`. Whatever is not writing is the original's business."""

    def __init__(self, name: str, original: TextIO | None) -> None:
        self._name = name
        self._original = original

    def write(self, text: str) -> int:
        sink = _current.get() or _captures.newest
        if sink is not None:
            sink.write(self._name, text, self._original)
        elif self._original is not None:
            self._original.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._original is not None:
            self._original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _LogHandler(logging.Handler):
    """Without handlers of the author's, warnings are also echoed to stderr, as Python itself would."""

    def __init__(self, *, is_only_one: bool) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self._is_only_one = is_only_one

    def emit(self, record: logging.LogRecord) -> None:
        sink = _current.get() or _captures.newest
        if sink is None:
            return
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        sink.line(record.levelname, text)
        original = _captures.original_stderr
        if self._is_only_one and record.levelno >= logging.WARNING and original is not None:
            sink.echo_line(text, original)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


class _Captures:
    """The process's one set of replaced streams, shared by the runs that are going on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sinks: list[Sink] = []
        self._undo: list[Callable[[], None]] = []
        self.newest: Sink | None = None
        self.original_stderr: TextIO | None = None

    def add(self, sink: Sink) -> None:
        with self._lock:
            if not self._sinks:
                self._install()
            self._sinks.append(sink)
            self.newest = sink

    def remove(self, sink: Sink) -> None:
        with self._lock:
            self._sinks.remove(sink)
            self.newest = self._sinks[-1] if self._sinks else None
            if not self._sinks:
                while self._undo:
                    self._undo.pop()()
                self.original_stderr = None

    def _install(self) -> None:
        self.original_stderr = sys.stderr
        self._replace_stream("stdout")
        self._replace_stream("stderr")
        root = logging.getLogger()
        is_only_one = not root.handlers
        handler = _LogHandler(is_only_one=is_only_one)
        root.addHandler(handler)
        self._undo.append(lambda: root.removeHandler(handler))
        if root.level == logging.WARNING:  # Python's default: nobody chose it, and INFO is worth keeping
            root.setLevel(logging.INFO)
            self._undo.append(lambda: root.setLevel(logging.WARNING))
            for other in root.handlers[:-1]:
                self._hold_to_warnings(other)

    def _hold_to_warnings(self, handler: logging.Handler) -> None:
        """It shall not show more than it would without us."""
        handler.addFilter(_is_warning)
        self._undo.append(lambda: handler.removeFilter(_is_warning))

    def _replace_stream(self, name: str) -> None:
        original = getattr(sys, name)
        stream = _Stream(name, original)
        setattr(sys, name, stream)

        def put_back() -> None:
            if getattr(sys, name) is stream:  # else somebody replaced it in turn, and will put back what they found
                setattr(sys, name, original)

        self._undo.append(put_back)


_captures: Final = _Captures()


@contextmanager
def captured(run_sink: Sink) -> Iterator[None]:
    """Until the block ends, output goes to the sink of its context; output of no context of ours to `run_sink`."""
    _captures.add(run_sink)
    try:
        with writing_to(run_sink):
            yield
    finally:
        _captures.remove(run_sink)
        run_sink.close()
