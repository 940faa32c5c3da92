"""A `dagy` command in a process of its own, with everything it starts, that can be made to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

GRACE_S: Final = 5.0
# As the script `dagy` does, and not as `python -c`, which would put the current folder first on the path.
_PROGRAM: Final = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
try:
    from dagy_cli.main import main
    main()
except KeyboardInterrupt:  # before there was anything to interrupt
    sys.exit(130)
"""


class Child:
    """It has a session of its own, so that signals reach all of it and only it. The terminal is shared."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments], start_new_session=True)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.returncode

    def end(self) -> None:
        """As Ctrl+C would, so that its run is recorded as cancelled; what is still there seconds later is killed. When
        this returns, or raises, it is gone, and whatever it had started. A repeat does nothing.
        """
        if self._process.returncode is not None:
            return
        try:
            self._signal(signal.SIGINT)
            self.wait(GRACE_S)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
