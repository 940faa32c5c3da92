"""A background process that outlives the command that started it, and is never confused with another one."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A process by number and by the moment it began: numbers are used again, the pair is not."""

    pid: int
    began: str

    @property
    def is_alive(self) -> bool:
        return _began(self.pid) == self.began

    def stop(self, *, grace_s: float) -> bool:
        """Ask it to end, wait, then kill it and everything it started. Whether it was there.

        It leads a process group of its own (see `spawn`), and as long as anything of a group is left, its number is
        nobody else's. So what a process that crashed left behind is found and killed too.
        """
        found = _began(self.pid)
        if found not in (self.began, None) or not _is_of_this_boot(self.began):
            return False  # the number is somebody else's by now, so nothing of the group is left
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        ends_at = time.monotonic() + grace_s
        while self.is_alive and time.monotonic() < ends_at:
            time.sleep(_POLL_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)  # when it was started by this very process
        return found is not None


def spawn(command: Sequence[str], *, environ: Mapping[str, str], log: Path, work_dir: Path) -> Process:
    """Start it in a session of its own, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=work_dir,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started.returncode = 0  # it is not ours to wait for: keeps Popen from warning when it is forgotten
    return Process(started.pid, _began(started.pid) or "")


def _began(pid: int) -> str | None:
    """When the process began, in whatever unit the system has; None when it is gone or a zombie."""
    if _boot():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else f"{_boot()} {fields[19]}"
    said = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, began = said.stdout.strip().partition(" ")
    return began.strip() if began and not state.startswith("Z") else None


def _is_of_this_boot(began: str) -> bool:
    return began.startswith(_boot())


@functools.cache
def _boot() -> str:
    """On Linux a process's start counts from the boot, so the boot belongs to it. Empty elsewhere."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
