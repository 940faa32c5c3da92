"""Ctrl-C while a flow runs asks for a clean end; a second one does not ask."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dagy.execution.recorder import Control


@contextmanager
def ctrl_c_cancels(control: Control) -> Iterator[None]:
    """Only in the main thread, and only while nobody else handles SIGINT. Python's handler is back afterwards."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if control.cancel_reason is not None:
            signal.default_int_handler(number, frame)
        control.cancel("interrupted by Ctrl-C")

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
