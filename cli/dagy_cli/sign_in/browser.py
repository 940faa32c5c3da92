"""Opening the user's browser without waiting for it, and without its chatter in our output."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final

# The standard library knows where browsers are and honours BROWSER, but may wait until the browser ends. Isolated (-I):
# a `webbrowser.py` in the current folder is not meant.
_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def open_browser(url: str, on_failure: Callable[[], None]) -> None:
    """Open `url`. `on_failure` is called, from another thread, when no browser could be opened, now or later."""
    threading.Thread(target=_open, args=(url, on_failure), daemon=True).start()


def opens_browser(url: str, *, within_s: float = 3.0) -> bool:
    """Open `url`, and say whether a browser took it. One that has not said so in time probably did: it is at it."""
    try:
        return _started(url).wait(within_s) == 0
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False


def _open(url: str, on_failure: Callable[[], None]) -> None:
    try:
        is_open = _started(url).wait() == 0
    except OSError:
        is_open = False
    if not is_open:
        on_failure()


def _started(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _OPEN, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl+C here is not for a browser that has just been started
    )
