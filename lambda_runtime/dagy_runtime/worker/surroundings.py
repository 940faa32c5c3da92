"""What a freshly forked child does to itself before any user code runs: cut every tie to the function around it."""

from __future__ import annotations

import gc
import importlib
import io
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dagy_runtime.worker.kernel import die_with_parent

_OUR_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)

_KEPT: Final = ("DAGY_STAGE",)
_LAMBDA_INTERNALS: Final = ("AWS_LAMBDA_RUNTIME_API", "_HANDLER", "_LAMBDA_TELEMETRY_LOG_FD", "_X_AMZN_TRACE_ID")


def child_environment(
    environ: Mapping[str, str], *, run_id: str, temp_dir: Path, package_dirs: Sequence[Path] = ()
) -> dict[str, str]:
    """What user code sees: AWS credentials and region stay, because flows use AWS. The platform's own settings go, and
    so does the address at which a process could take this function's next event. Pythons that user code starts find the
    packages too, and write no bytecode there.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not (name.startswith("DAGY_") or name in _LAMBDA_INTERNALS)
    }
    if package_dirs:
        kept["PYTHONPATH"] = os.pathsep.join([*map(str, package_dirs), *filter(None, [kept.get("PYTHONPATH")])])
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
    return {**kept, "DAGY_RUN_ID": run_id, "TMPDIR": str(temp_dir)}


def cut_ties(
    *,
    parent_pid: int,
    channel: socket.socket,
    stdout_fd: int,
    stderr_fd: int,
    environ: Mapping[str, str],
    work_dir: Path,
) -> None:
    """Become a process of one's own: session, signals, descriptors, environment, working directory, standard streams.

    The parent's memory is still here, but nothing that was opened in it: every descriptor leads nowhere now. (They are
    not closed: objects of the parent's that are collected here would close whatever user code opened in their place.)
    """
    os.setsid()
    _die_with(parent_pid)
    signal.set_wakeup_fd(-1)
    for number in _OUR_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _prefer_for_oom_kill()
    _redirect_descriptors(keep=channel.fileno(), stdout_fd=stdout_fd, stderr_fd=stderr_fd)
    _replace_standard_streams()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(work_dir)
    tempfile.tempdir = None  # the parent may have remembered its own
    _forget_shared_state()


def _die_with(parent_pid: int) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        os._exit(1)


def _prefer_for_oom_kill() -> None:
    """When memory runs out, the kernel shall take this process and not the one that can tell why."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def _redirect_descriptors(*, keep: int, stdout_fd: int, stderr_fd: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(stdout_fd, 1)
    os.dup2(stderr_fd, 2)
    os.dup2(nowhere, 0)
    for fd in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
        if fd <= 2 or fd in (keep, nowhere) or not _is_open(fd):
            continue
        os.dup2(nowhere, fd, inheritable=False)
    os.close(nowhere)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _replace_standard_streams() -> None:
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(
            open(fd, "wb", closefd=False),  # noqa: SIM115
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _forget_shared_state() -> None:
    """What a warm parent has that user code would share by name."""
    logging.getLogger().handlers.clear()
    logging.getLogger().setLevel(logging.WARNING)
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]
    sys.argv = ["dagy"]
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    gc.freeze()  # what the parent made is never collected here: its pages stay shared, its finalizers do not run
