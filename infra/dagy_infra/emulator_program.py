"""What the emulator's process runs: ministack, which by itself saves what it knows only when it is ended gently.

    python -I -u emulator_program.py <mark>

Here it is saved every few seconds too, and ending it takes no longer than saving: ministack would first wait for the
functions under way. `mark` says what the saved state is worth: `running`, of a moment ago; `clean`, of the end; no such
file, half written. What it lacks is in `emulator_containers` and `emulator_functions`.

The emulator's own Python runs this, so it imports nothing of Dagy.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import ministack.app as ministack
from ministack.core.persistence import save_state

_EVERY_S: Final = 5.0
_IDLE_PER_BUSY: Final = 20  # saving takes at most a twentieth of the time, however much there is to save
_ATTEMPTS: Final = 5

_log: Final = logging.getLogger("dagy")


class Saving:
    """Saves what ministack knows. `app` is ministack's, and notices what may have changed it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        self._is_changed = False
        self._writing = threading.Lock()
        self._emulated = ministack.app
        self._task: asyncio.Task[None] | None = None

    async def app(self, scope: Mapping[str, Any], receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end)
            self._task = asyncio.create_task(self._save_now_and_then())
        elif not scope["path"].startswith("/_ministack/"):
            self._is_changed = True
        await self._emulated(scope, receive, send)

    async def _save_now_and_then(self) -> None:
        pause_s = _EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            if not self._is_changed:
                continue
            self._is_changed = False
            began = time.monotonic()
            try:
                await asyncio.to_thread(self._write, _known(), "running")
            except Exception:
                self._is_changed = True
                _log.exception("Could not save; trying again")
            pause_s = max(_EVERY_S, _IDLE_PER_BUSY * (time.monotonic() - began))

    def _end(self) -> None:
        try:
            self._write(_known(), "clean")
        except Exception:
            _log.exception("Could not save; what was saved last stays")
            os._exit(1)
        os._exit(0)  # threads may wait for functions for minutes; whoever stops us ends those

    def _write(self, known: Mapping[str, Any], word: str) -> None:
        with self._writing:
            self._mark.unlink(missing_ok=True)
            for name, state in known.items():
                save_state(name, state)
            self._mark.write_text(word, encoding="ascii")


def _known() -> dict[str, Any]:
    """A copy, made where requests are answered, so no request is half in it. Threads may still get in the way."""
    for attempt in range(_ATTEMPTS):
        try:
            states = {name: state() for name, state in ministack._build_persistence_save_dict().items()}
            return {name: state for name, state in states.items() if state is not None}
        except RuntimeError:  # a dict changed while it was copied
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def main() -> None:
    saving = Saving(Path(sys.argv.pop(1)))
    ministack.app = saving.app
    for lack in ("emulator_containers.py", "emulator_functions.py"):
        runpy.run_path(str(Path(__file__).with_name(lack)))["install"]()
    # Each state that was saved is an INFO line: fifty with every save.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    ministack.main()


if __name__ == "__main__":
    main()
