"""The AWS emulator as a background process: installed once, started, awaited, stopped. It knows nothing of stages.

It is **ministack**, in a virtual environment of its own because it pins botocore exactly. It runs Lambda handlers on
the interpreter of that environment, so boto3 stands beside it, as on Lambda.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagy.core.errors import Conflict, Unavailable
from dagy.private_files import locked, read_private, write_private
from dagy_infra.cdk_cli import Report
from dagy_infra.processes import Process, spawn
from dagy_infra.wheels import uv_command

VERSION: Final = "1.5.33"
# It signs the tokens of user pools only when it finds cryptography.
_REQUIREMENTS: Final = (f"ministack=={VERSION}", "boto3<1.44", "cryptography>=41")
_START_S: Final = 60.0
_STOP_S: Final = 15.0
_POLL_S: Final = 0.05
# What a program needs of the shell that starts it. Nothing else gets in: functions inherit the emulator's environment.
_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TZ")
_PROGRAM: Final = Path(__file__).with_name("emulator_program.py")
_STORED: Final = ("state", "s3")


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that was started and not stopped."""

    process: Process
    port: int
    enforces_iam: bool

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator per `home`, on the loopback interface only. `extra_environ` are ministack's own settings."""

    home: Path
    venv: Path
    extra_environ: Mapping[str, str]

    @property
    def log(self) -> Path:
        return self.home / "emulator.log"

    def running(self) -> Running | None:
        """What is running, also when it was started by another command. None when it is gone."""
        recorded = self._recorded()
        return recorded if recorded is not None and recorded.process.is_alive else None

    def start(
        self,
        *,
        port: int | None,
        enforces_iam: bool,
        report: Report,
        is_whole: Callable[[Running], bool] = lambda _: True,
    ) -> Running:
        """Start it, unless it runs already as asked, and wait until it answers. `port` None: the last one, or any.

        After an end that was not a stop it has what it saved a moment before, if that is of one piece and `is_whole`
        says so of the emulator that has it; otherwise it starts empty.

        Raises: Conflict when the port is taken; Unavailable when it cannot be installed or does not come up.
        """
        running = self.running()
        if running is not None and running.enforces_iam == enforces_iam and port in (None, running.port):
            self._await(running)
            return running
        self.stop(report)  # one that runs differently, or what one that crashed left behind
        python = self._installed(report)
        chosen = self._chosen_port(port)
        report(f"Starting the emulator on port {chosen}" + (" with IAM enforcement" if enforces_iam else ""))
        was_stopped = self._was_stopped
        if was_stopped or self._mark.exists():
            running = self._spawn(python, chosen, enforces_iam)
            if was_stopped or is_whole(running):
                return running
            running.process.stop(grace_s=0)
        report("The local cloud was not stopped cleanly; starting it anew: what was deployed into it is gone")
        self.forget()
        return self._spawn(python, chosen, enforces_iam)

    def stop(self, report: Report) -> bool:
        """Stop it and every function it runs. Whether there was one. Its state is on disk afterwards."""
        recorded = self._recorded()
        if recorded is None:
            return False
        if recorded.process.is_alive:
            report(f"Stopping the emulator on port {recorded.port}")
        was_there = recorded.process.stop(grace_s=_STOP_S)
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        return was_there

    def forget(self) -> None:
        """Delete what it has stored. It must not be running."""
        for folder in ("tmp", *_STORED):
            shutil.rmtree(self.home / folder, ignore_errors=True)

    @property
    def _mark(self) -> Path:
        """See `emulator_program`."""
        return self.home / "state" / "saved"

    @property
    def _was_stopped(self) -> bool:
        """Whether all it stored is there and belongs together; also when that is nothing."""
        try:
            return self._mark.read_text(encoding="ascii") == "clean"
        except OSError:
            return not any((self.home / folder).exists() for folder in _STORED)

    def _spawn(self, python: Path, port: int, enforces_iam: bool) -> Running:
        for folder in ("tmp", *_STORED):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self._mark.write_text("running", encoding="ascii")  # what is stored is of its end only until it runs
        process = spawn(
            [str(python), "-I", "-u", str(_PROGRAM), str(self._mark)],
            environ=self._environ(port, enforces_iam),
            log=self.log,
            work_dir=self.home,
        )
        record = {"pid": process.pid, "began": process.began, "port": port, "enforces_iam": enforces_iam}
        write_private(self._record, json.dumps(record))
        running = Running(process, port, enforces_iam)
        self._await(running)
        return running

    def _chosen_port(self, port: int | None) -> int:
        last = self._recorded()  # its port stands in the manifest and in profiles, so a restart keeps it when it can
        wanted = port if port is not None or last is None else last.port
        if wanted is None:
            return _free_port()
        if _is_free(wanted):
            return wanted
        if port is not None:
            raise Conflict(f"Port {port} is in use", "Choose another with --port, or leave it out.")
        return _free_port()

    @property
    def _record(self) -> Path:
        return self.home / "emulator.json"

    def _recorded(self) -> Running | None:
        """The last one that was started, alive or not."""
        text = read_private(self._record)
        try:
            data = json.loads(text or "")
            return Running(Process(data["pid"], data["began"]), data["port"], data["enforces_iam"])
        except (ValueError, KeyError, TypeError):
            return None

    def _environ(self, port: int, enforces_iam: bool) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {
            **inherited,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": str(enforces_iam).lower(),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.home / "s3"),
            "TMPDIR": str(self.home / "tmp"),
            "SFTP_ENABLED": "0",  # each would open a port of its own
            "IOT_MTLS_ENABLED": "0",
            **self.extra_environ,
        }

    def _await(self, running: Running) -> None:
        ends_at = time.monotonic() + _START_S
        while not _answers(running.port):
            if not running.process.is_alive:
                raise Unavailable("The emulator ended while it started", f"Its log: {self.log}")
            if time.monotonic() > ends_at:
                running.process.stop(grace_s=1)
                raise Unavailable(f"The emulator did not answer within {_START_S:g} s", f"Its log: {self.log}")
            time.sleep(_POLL_S)

    def _installed(self, report: Report) -> Path:
        """Its Python, after installing it when it is not there, or is another version, or for another Python."""
        python = self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        wanted = json.dumps([*_REQUIREMENTS, sys.version.split()[0]])
        stamp = self.venv / "dagy.json"
        with locked(self.venv):
            if python.exists() and read_private(stamp) == wanted:
                return python
            report(f"Installing the AWS emulator (ministack {VERSION}) into an environment of its own (once)")
            shutil.rmtree(self.venv, ignore_errors=True)
            _create_venv(self.venv, python)
            write_private(stamp, wanted)
        return python


def _create_venv(venv: Path, python: Path) -> None:
    """With uv when it can (seconds), else with virtualenv and pip, which know indexes that uv does not."""
    with_uv = uv_command("venv", "--quiet", "--clear", "--python", sys.executable, str(venv))
    install = uv_command("pip", "install", "--quiet", "--python", str(python), *_REQUIREMENTS)
    if with_uv and install and not _failure(with_uv) and not _failure(install):
        return
    shutil.rmtree(venv, ignore_errors=True)
    failure = _failure([sys.executable, "-m", "virtualenv", "--quiet", str(venv)]) or _failure(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_REQUIREMENTS]
    )
    if failure:
        raise Unavailable(
            f"Could not install the emulator: {failure}", "It needs: pip install 'dagy[local]', and your package index."
        )


def _failure(command: list[str]) -> str | None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if result.returncode == 0 else result.stderr.strip()[-600:] or f"exit code {result.returncode}"


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
