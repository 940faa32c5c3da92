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


def _open(url: str, on_failure: Callable[[], None]) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _OPEN, url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C here is not for a browser that has just been started
            check=False,
        )
        is_open = done.returncode == 0
    except OSError:
        is_open = False
    if not is_open:
        on_failure()
